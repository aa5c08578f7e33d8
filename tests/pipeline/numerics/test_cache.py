from __future__ import annotations

import compileall
import ctypes
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numba.core import config

from pipeline.numerics import cache
from pipeline.numerics.cache import KernelCache, NotKeptError
from pipeline.numerics.compiled import kernel
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
