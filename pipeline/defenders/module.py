"""An agent made from its name, in the process that it plays in: its code is run here.

    module:Name         imported; the working folder can be imported from
    /path/file.py:Name  run once in a process; its own folder can be imported from, too
    /path/model.zip     a model of Stable-Baselines3, see `sb3`

`Name` is a class or a function that returns the agent, called with the user's arguments; an object that is an agent
already; or a function of one argument, which is the agent itself: it is called with each observation.
"""

from __future__ import annotations

import copy
import difflib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cage2.cyborg import upstream_name
from pipeline.defenders import sb3
from pipeline.defenders.errors import AgentRaisedError, NoSuchAgentError, UnusableAgentError
from pipeline.errors import PipelineError, own_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

_loaded: dict[str, ModuleType] = {}
"""What files' modules are, by their paths."""


def load(target: str, arguments: Mapping[str, str], seed: Callable[[], None] = lambda: None) -> Any:
    """Return the agent that a name refers to, made anew.

    Args:
        target: See `AgentReference.target`.
        arguments: What its class or function is called with.
        seed: Seeds generators: called before its module is run, and again before the agent is made, since a generator
            of torch's isn't there before its module has been imported.

    Raises:
        NoSuchAgentError: There is no such module, or no such name in it.
        UnusableAgentError: It takes other arguments.
        AgentRaisedError: Its code raised.
    """
    try:
        seed()
        if target.endswith(".zip"):
            model = sb3.load(Path(target), arguments)
            seed()
            return model
        path, _, name = target.rpartition(":")
        module = _module_of(path)
        if not hasattr(module, name):
            near = difflib.get_close_matches(name, [each for each in vars(module) if not each.startswith("_")], n=3)
            raise NoSuchAgentError(f"{path} has no {name!r}" + (f": did you mean {' or '.join(near)}?" if near else ""))
        seed()
        return _made(getattr(module, name), target, arguments)
    except PipelineError:
        raise
    except BaseException as error:  # noqa: BLE001  # sys.exit among them: the code isn't ours
        raise AgentRaisedError(target, own_traceback(error)) from None


def _module_of(path: str) -> ModuleType:
    upstream_name.install()
    _import_from(Path.cwd())
    if path.endswith(".py"):
        if path not in _loaded:
            _loaded[path] = _run(Path(path))
        return _loaded[path]
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is not None and (path == error.name or path.startswith(f"{error.name}.")):
            raise NoSuchAgentError(
                f"there is no module {error.name!r}, here or installed: a file is FILE.py:NAME"
            ) from None
        raise


def _run(file: Path) -> ModuleType:
    """Return the module of a file, run. It goes by the file's name where that is free, as if it had been imported."""
    _import_from(file.parent)
    name = file.stem if file.stem not in sys.modules else f"_{file.stem}_agent"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise NoSuchAgentError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _made(named: Any, target: str, arguments: Mapping[str, str]) -> Any:
    if not isinstance(named, type) and not inspect.isroutine(named):
        if arguments:
            raise UnusableAgentError(f"{target} is an object already, and takes no --agent-arg")
        return copy.deepcopy(named)  # as it was when its module had been run
    try:
        signature = inspect.signature(named)
    except (TypeError, ValueError):  # one that isn't written in Python doesn't tell
        return named(**arguments)
    if inspect.isroutine(named) and _num_required(signature) == 1 and not arguments:
        return named
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise UnusableAgentError(
            f"{target} is made by {named.__name__}{signature}: {error}. Give it what it needs by --agent-arg NAME=VALUE"
        ) from None
    return named(**arguments)


def _num_required(signature: inspect.Signature) -> int:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is each.empty for each in signature.parameters.values())
