"""Compiled functions that only compiled functions call: parts of what is called from Python, and nothing by themselves.

numba makes each function complete: optimised and turned into machine code with all that it calls, which its callers do
again with it. In a kernel of seventy functions most of the compiler's work is thrown away. A part is left as it was
written, and optimised and turned into machine code once, in the kernel that calls it, directly or not.

```
numba:  part -> optimised with what it calls -> machine code, not used
                         '-> its caller -> optimised with ... -> machine code, not used -> ... -> kernel
here:   part, part, ... -> kernel -> optimised -> machine code
```
"""

from __future__ import annotations

from typing import Any

from numba import _dynfunc  # type: ignore[attr-defined]  # there is
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering


class _Part(JITCodeLibrary):
    """A function in the language of LLVM."""

    def finalize(self) -> None:
        """Leave it at that: callers are given what it calls, too."""
        self._raise_if_finalized()
        self._finalized = True

    def with_what_it_calls(self) -> list[JITCodeLibrary]:
        """Return what a caller is linked with: this one and, each once, all that it calls, directly or not."""
        return [self, *dict.fromkeys(self._linking_libraries)]


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):
    """Makes a part of a function."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        """See numba's."""
        part = state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        part.finalize()
        lowered = state["cr"]
        # what numba knows a compiled function by; it can't be called. With it callers get all that the part calls
        name = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), lowered.fndesc.qualname, "a part", 0, lowered.env, (part,)
        )
        state.targetctx.insert_user_function(name, lowered.fndesc, part.with_what_it_calls())
        state["cr"] = lowered._replace(cfunc=name)
        return True


class PartCompiler(CompilerBase):
    """numba's compiler, for functions that are parts: `numba.njit(pipeline_class=PartCompiler)`."""

    def define_pipelines(self) -> list[PassManager]:
        """Return numba's own passes but for the last one that matters."""
        usual = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager = PassManager("part")
        for step, reason in usual.passes:
            manager.add_pass(_PartLowering if step is NativeLowering else step, reason)
        manager.finalize()
        return [manager]
