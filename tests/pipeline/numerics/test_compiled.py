from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.numerics.conftest import Tree

ROOT = Path(__file__).parents[3]

GAMES = """
import hashlib
import random
from pipeline.cage2.facts import spec
from pipeline.cage2.engine.fast_env import FastEnv

digest = hashlib.sha256()
for red_agent in spec.RED_AGENTS:
    for profile in ("head", "leaderboard"):
        for observation in ("stock", "corrected"):
            rng = random.Random(1)
            env = FastEnv(red_agent, profile, observation)
            env.reset(2**70, is_new=True)
            for _ in range(60):
                seen, reward = env.step(rng.choice((rng.randrange(145), rng.randrange(132, 145))))
                digest.update(seen.tobytes() + b"%d %d" % (reward, env.red_hosts()))
            digest.update(repr(env.batch.generator_state(0)).encode())
print(digest.hexdigest())
"""
IMPORTED = """
import json, os, sys
import numba
told = {}
for module in sys.stdin.read().split():
    read, write = os.pipe()
    if os.fork() == 0:
        __import__(module)
        stamps = [
            kernel._cache._cache_file._source_stamp
            for kernel in vars(sys.modules[module]).values()
            if isinstance(kernel, numba.core.dispatcher.Dispatcher)
            and kernel.py_func.__module__ == module
            and isinstance(kernel._cache, numba.core.caching.FunctionCache)
        ]
        ours = [
            name for name, found in sys.modules.items()
            if name.startswith(("pipeline.", "native_buffers.")) and not hasattr(found, "__path__")
        ]
        os.write(write, json.dumps([ours, stamps]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told[module] = json.loads(pipe.read())
    os.wait()
print(json.dumps(told))
"""
CHANGED = """
import json, re, sys
from importlib.util import find_spec
from pathlib import Path
from pipeline.numerics import sources

def digests():
    sources._read.cache_clear()
    return {kernels: sources.source_digest(kernels) for kernels in modules}

modules, names = json.load(sys.stdin)
before, told = digests(), {}
for name in names:
    path = Path(find_spec(name).origin)
    source = path.read_text()
    changed, found = re.subn(
        r"^(_?[A-Z][A-Z0-9_]* = .*?)(\\d+)", lambda match: match[1] + str(int(match[2]) + 1), source, 1, re.MULTILINE
    )
    path.write_text(changed if found else source + "ADDED = 1\\n")
    told[name] = [kernels for kernels, digest in digests().items() if digest != before[kernels]]
    path.write_text(source)
print(json.dumps([before, told]))
"""
SHOWN = """
import numpy as np
from pipeline.cage2.gym import shown
from pipeline.ppo import returns
*_, masks = shown.show(np.zeros((1, 52), np.int8), np.zeros(1, np.int64), np.full((1, 13), -1))
returns.gae(np.ones((1, 2)), np.ones((1, 3)), 0.5, 0.5)
num_loaded = [sum(kernel.stats.cache_hits.values()) for kernel in (shown._show, returns._sum_backwards)]
print(np.flatnonzero(masks == 0)[0], *num_loaded)
"""


@pytest.fixture(scope="module")
def tree(make_tree: Callable[[], Tree]) -> Tree:
    return make_tree()


def test_the_engine_plays_the_same_games_uncompiled(tree: Tree) -> None:
    # from the project itself, where machine code is kept
    by_form = [tree.run(GAMES, path=ROOT, env={"NUMBA_DISABLE_JIT": disable}) for disable in ("0", "1")]
    assert by_form[0] == by_form[1]


def test_a_change_of_any_source_makes_the_code_of_every_kernel_that_depends_on_it_stale(tree: Tree) -> None:
    """What kernels depend on is what is there, besides packages, when nothing but their module was imported."""
    sources = {path: path.read_text() for path in (tree.path / "pipeline").rglob("*.py")}
    num_kernels = {
        ".".join(path.relative_to(tree.path).with_suffix("").parts): len(re.findall("^@kernel$", source, re.MULTILINE))
        for path, source in sources.items()
        if "\n@kernel\n" in source
    }
    assert {"pipeline.cage2.gym.shown", "pipeline.play.rollout", "pipeline.ppo.compiled.epoch"} <= num_kernels.keys()
    imported: dict[str, Any] = json.loads(tree.run(IMPORTED, input="\n".join(num_kernels)))
    depends = {module: set(names) for module, (names, _) in imported.items()}
    everything = sorted(set().union(*depends.values()))
    assert {"pipeline.seeding", "pipeline.cage2.facts.spec", "pipeline.numerics.lanes_code"} <= set(everything)

    digests, told = json.loads(tree.run(CHANGED, input=json.dumps([list(num_kernels), everything])))

    assert told == {name: [module for module in num_kernels if name in depends[module]] for name in everything}
    for module, (_, stamps) in imported.items():
        assert stamps == [digests[module]] * num_kernels[module]


def test_a_kernel_is_compiled_anew_when_a_constant_of_another_module_changes(
    make_tree: Callable[[], Tree],
) -> None:
    tree = make_tree()
    assert tree.run(SHOWN).split() == ["28", "0", "0"]  # all decoys are masked; nothing was kept
    assert tree.run(SHOWN).split() == ["28", "1", "1"]
    tree.replace("pipeline.cage2.facts.spec", "DECOY = 28\n", "DECOY = 29\n")
    assert tree.run(SHOWN).split() == ["29", "0", "1"]


def test_hidden_layers_that_kernels_cannot_compute_are_refused(make_tree: Callable[[], Tree]) -> None:
    tree = make_tree()
    tree.replace("pipeline.policy.params", "HIDDEN_STEP: Final = 32\n", "HIDDEN_STEP: Final = 16\n")
    program = "try: import pipeline.ppo.compiled.mlp\nexcept ValueError as error: print(error)"
    assert tree.run(program) == "HIDDEN_STEP is a multiple of 32, not 16\n"


def test_masked_arrays_are_imported_before_threads_can_ask_for_them(tree: Tree) -> None:
    # where two threads ask for `numpy.ma` first, NumPy's `__getattr__` may call itself in one until the other is done
    assert tree.run("import sys, pipeline.numerics.compiled\nprint('ma' in vars(sys.modules['numpy']))") == "True\n"
