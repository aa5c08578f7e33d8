from __future__ import annotations

import compileall
import ctypes
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from numba.core import config
from numba.core.errors import TypingError

from pipeline.numerics import cache
from pipeline.numerics.cache import KernelCache, NotKeptError
from pipeline.numerics.compiled import kernel, must_be_compiled
from pipeline.numerics.sources import source_digest
from pipeline.ppo import returns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.pipeline.numerics.conftest import Tree

PROGRAM = """
import numpy as np
from pipeline.numerics.cache import why_not_kept
from pipeline.ppo import returns
{before}
assert returns.gae(np.ones((1, 2)), np.zeros((1, 3)), 1.0, 1.0).tolist() == [[2.0, 1.0]]
print(sum(returns._sum_backwards.stats.cache_hits.values()), returns._sum_backwards.stats.cache_path, why_not_kept())
"""
ROOT = Path(__file__).parents[3]
FILE = "/opt/pipeline/ppo/returns.py"


def permissions_bind() -> None:
    """Give up root's right to write where permissions forbid it; to be called in a child process."""
    drop, override = 24, 1  # prctl.h: PR_CAPBSET_DROP, capability.h: CAP_DAC_OVERRIDE
    ctypes.CDLL(None).prctl(drop, override)


@pytest.fixture
def tree(make_tree: Callable[[], Tree]) -> Tree:
    return make_tree()


def ran(tree: Tree, path: Path | None = None, before: str = "", **env: str) -> tuple[bool, str, str]:
    """Return whether the kernel was loaded, where it is kept, and why not."""
    program = PROGRAM.format(before=before)
    num_loaded, folder, why = tree.run(program, path, env=env, preexec_fn=permissions_bind).strip().split(" ", 2)
    return num_loaded == "1", folder, why


# --- where ---


def test_the_folder_that_was_asked_for_comes_first_and_a_temporary_one_last(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "asked"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asked, beside, user, temporary = cache.folders(FILE)
    assert asked.parent == tmp_path / "asked"
    assert beside == Path("/opt/pipeline/ppo/__pycache__")
    assert user.parent == tmp_path / "xdg" / "cage2-pipeline"
    assert temporary.parent == tmp_path / f"cage2-pipeline-{os.getuid()}"
    assert {folder.name for folder in (asked, user, temporary)} == {asked.name}
    assert asked.name.startswith("ppo-")
    assert next(cache.folders("/home/me/pipeline/ppo/returns.py")).name != asked.name


def test_the_users_own_folder_is_found_without_xdg_and_left_out_where_nobody_knows_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(config, "CACHE_DIR", "")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert [*cache.folders(FILE)][1].parent == tmp_path / "home" / ".cache" / "cage2-pipeline"
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)  # nobody's
    assert len([*cache.folders(FILE)]) == 1


def test_a_temporary_folder_that_others_can_write_to_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = cache._private_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache._private_folder() == folder
    folder.chmod(0o770)
    with pytest.raises(PermissionError):
        cache._private_folder()
    folder.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        cache._private_folder()
    folder.unlink()
    folder.write_text("")
    with pytest.raises(FileExistsError):
        cache._private_folder()


def test_a_user_who_may_write_nowhere_has_it_compiled_and_is_told(tree: Tree, tmp_path: Path) -> None:
    for folder in [*tree.path.rglob("*"), tree.path]:
        folder.chmod(0o555)
    if tree.run(f"import os; print(os.access({str(tree.path)!r}, os.W_OK))", preexec_fn=permissions_bind) != "False\n":
        pytest.skip("permissions don't bind this user, who may not even give that up")
    nowhere = {"HOME": str(tree.path / "home"), "XDG_CACHE_HOME": "", "TMPDIR": str(tmp_path)}
    private = tmp_path / f"cage2-pipeline-{os.getuid()}"

    loaded, folder, why = ran(tree, **nowhere)
    assert (loaded, Path(folder).parent, why) == (False, private, "None")

    shutil.rmtree(private)
    private.write_text("somebody else's")
    why = "no folder for it can be written to; NUMBA_CACHE_DIR may name one"
    assert ran(tree, **nowhere) == (False, "None", f"machine code is compiled anew at every start: {why}")


@pytest.mark.parametrize("form", ["zip", "pyc"])
def test_it_is_kept_wherever_the_modules_come_from(tree: Tree, tmp_path: Path, form: str) -> None:
    if form == "zip":
        path = Path(shutil.make_archive(str(tmp_path / "code"), "zip", tree.path))
    else:
        path = tree.path
        compileall.compile_dir(path, quiet=2, legacy=True)
        for source in path.rglob("*.py"):
            source.unlink()
    nodes_digest = (  # as a Ray node makes it
        "from pipeline.numerics.sources import source_digest\n"
        "assert len(source_digest('pipeline.workers.ray', 'pipeline.play.game')) == 64"
    )
    user = {"HOME": str(tmp_path), "XDG_CACHE_HOME": ""}
    (first, folder, why), (second, *_) = [ran(tree, path, nodes_digest, **user) for _ in range(2)]
    assert (first, second, why) == (False, True, "None")
    assert Path(folder).is_relative_to(tmp_path / ".cache" / "cage2-pipeline" if form == "zip" else tree.path)


# --- what ---


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """What defines a kernel, calls it, and returns whether it was compiled and not loaded; kept in `tmp_path`."""

    def define_and_call() -> bool:
        sum_backwards: Any = kernel(returns._sum_backwards.py_func)
        values = np.ones((1, 3))
        sum_backwards(values, 1.0)
        assert values.tolist() == [[3.0, 2.0, 1.0]]
        return not sum_backwards.stats.cache_hits

    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    cache._folder.cache_clear()
    yield define_and_call
    cache._folder.cache_clear()


def test_what_is_kept_but_damaged_is_made_anew(anew: Callable[[], bool], tmp_path: Path) -> None:
    assert (anew(), anew()) == (True, False)
    files = list(tmp_path.rglob("*.nb?"))
    assert sorted(file.suffix for file in files) == [".nbc", ".nbi"]
    for file in files:
        for length in (0, file.stat().st_size // 2):
            os.truncate(file, length)
            assert (anew(), anew()) == (True, False)


def test_programs_go_on_where_nothing_can_be_kept_any_more(anew: Callable[[], bool], tmp_path: Path) -> None:
    assert anew()
    (folder,) = tmp_path.iterdir()
    for file in folder.iterdir():
        file.unlink()
        file.mkdir()  # can be neither read nor replaced
    assert (anew(), anew()) == (True, True)
    shutil.rmtree(folder)
    folder.write_text("")
    assert (anew(), anew()) == (True, True)


def test_whether_a_kernel_must_be_compiled_is_known_before_it_is_called(
    anew: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def define() -> Any:
        return kernel(returns._sum_backwards.py_func)

    first, second = define(), define()
    assert must_be_compiled(first)
    first(np.ones((1, 3)), 1.0)
    assert not must_be_compiled(first, second)  # it is here, and it is kept
    processor = second.targetctx.codegen().magic_tuple()
    monkeypatch.setattr(type(second.targetctx.codegen()), "magic_tuple", lambda _: (*processor[:-1], "another's"))
    assert must_be_compiled(first, second)
    assert not must_be_compiled(first)
    monkeypatch.setattr("pipeline.numerics.compiled.COMPILED", False)
    assert not must_be_compiled(second)


def test_a_kernel_that_cannot_be_kept_must_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "folders", lambda _: iter(()))
    cache._folder.cache_clear()
    assert must_be_compiled(kernel(returns._sum_backwards.py_func))
    cache._folder.cache_clear()


def test_numbas_own_locators_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their stamps know of one file only."""
    monkeypatch.setattr(config, "CACHE_LOCATOR_CLASSES", "InTreeCacheLocator")
    kept = KernelCache(returns._sum_backwards.py_func)
    assert kept._cache_file._source_stamp == source_digest("pipeline.ppo.returns")


def test_a_function_that_was_typed_in_is_not_kept() -> None:
    variables: dict[str, Any] = {"__name__": "typed_in"}
    exec("def typed_in(): pass", variables)  # noqa: S102 - as an interpreter does it
    with pytest.raises(NotKeptError, match="the source of typed_in can't be read"):
        KernelCache(variables["typed_in"])


# --- by whom ---

THREE = """
import sys, time
import numpy as np
from pipeline.numerics import cache, file_lock
from pipeline.ppo import distinct, returns
{before}
print("ready", flush=True)
sys.stdin.readline()
returns.gae(np.ones((1, 2)), np.ones((1, 3)), 0.5, 0.5)
distinct.distinct_inputs(np.zeros((1, 2, 52), np.int8), np.zeros(1, np.int64))
kernels = returns._sum_backwards, distinct._pack, distinct._number
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""
STUCK = """
from numba.core import event
class Stuck(event.Listener):
    def on_start(self, event):
        print("compiling", flush=True)
        time.sleep(1000)
    def on_end(self, event):
        pass
event.register("numba:compile", Stuck())
"""
TELLS = """
class Clock:
    monotonic = time.monotonic
    def sleep(seconds):
        print("waiting", flush=True)
        time.sleep(seconds)
file_lock.time = Clock
"""


class StartThree(Protocol):
    def __call__(self, before: str = "") -> subprocess.Popen[str]: ...


@pytest.fixture
def start_three(tmp_path: Path) -> Iterator[StartThree]:
    """Return what starts a process that calls three kernels, kept in one folder that is empty at first."""
    started = []

    def start(before: str = "") -> subprocess.Popen[str]:
        program = [sys.executable, "-c", THREE.format(before=before)]
        env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "code"), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            program, env=env, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert heard(process) == "ready"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_of_processes_that_find_nothing_one_compiles_each_kernel(start_three: StartThree, tmp_path: Path) -> None:
    processes = [start_three() for _ in range(3)]
    for process in processes:
        go_on(process)
    assert sum(int(heard(process)) for process in processes) == 3
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len([*tmp_path.rglob("*.nbc")]) == 3


@pytest.mark.parametrize("fate", ["killed", "stopped"])
def test_a_process_that_does_not_end_its_compiling_holds_nobody_up(start_three: StartThree, fate: str) -> None:
    """One that is killed is waited for no longer; one that is stopped, not for ever."""
    stuck = start_three(STUCK)
    go_on(stuck)
    assert heard(stuck) == "compiling"
    other = start_three(TELLS + ("cache.WAIT_S = 0.5" if fate == "stopped" else ""))
    go_on(other)
    assert heard(other) == "waiting"
    if fate == "killed":
        stuck.kill()
    told = heard(other)
    while told == "waiting":
        told = heard(other)
    assert told == "3"  # it compiled all


def test_a_kernel_that_cannot_be_compiled_holds_nobody_up(anew: Callable[[], bool], tmp_path: Path) -> None:
    sum_backwards: Any = kernel(returns._sum_backwards.py_func)
    with pytest.raises(TypingError):
        sum_backwards("no array", 1.0)
    (path,) = tmp_path.rglob("*.lock")
    assert sum_backwards._cache._lock._fd is None
    assert path.stat().st_size == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert anew()
