from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config import Config
from pipeline.machine import describe_machine
from pipeline.persist import runs
from pipeline.persist.runs import RunFolder, RunFolderError, read_config

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    folder = RunFolder.create(Config(log_dir=tmp_path, run_name="run", seed=5))
    yield folder
    folder.close()


def test_a_new_run_writes_down_configuration_and_machine(folder: RunFolder, tmp_path: Path) -> None:
    assert folder.path == tmp_path / "run"
    assert read_config(folder.path) == Config(log_dir=tmp_path, run_name="run", seed=5)
    assert json.loads((folder.path / "machine.json").read_text()) == describe_machine()
    assert json.loads((folder.path / "config.json").read_text()).keys() == Config.model_fields.keys()


def test_a_new_run_has_no_history(tmp_path: Path) -> None:
    config = Config(log_dir=tmp_path / "logs", total_episodes=200, earlier_budgets=(100,))
    with pytest.raises(RunFolderError, match="a new run has no earlier_budgets: that is what resume"):
        RunFolder.create(config)
    assert not (tmp_path / "logs").exists()


def test_a_run_without_a_name_is_named_after_time_agent_and_seed(tmp_path: Path) -> None:
    config = Config(log_dir=tmp_path / "new" / "logs", red_agent="SleepAgent", seed=7)
    names = []
    for _ in range(12):  # several a second
        folder = RunFolder.create(config)
        names.append(folder.path.name)
        folder.close()
    assert len(set(names)) == 12
    assert all(re.fullmatch(r"\d{8}-\d{6}-SleepAgent-seed7(-\d+)?", name) for name in names)


@pytest.mark.parametrize("clock", [[5, 5, 5], [5, 4, 3], [5, 4, 5], [2**33, 0, 5]])
def test_a_clock_that_jumps_breaks_no_name(clock: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Jumping(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.fromtimestamp(clock.pop(0), tz)

    monkeypatch.setattr(runs, "datetime", Jumping)
    folders = [RunFolder.create(Config(log_dir=tmp_path)) for _ in range(3)]
    assert len({folder.path for folder in folders}) == 3
    for folder in folders:
        folder.close()


@pytest.mark.parametrize(
    ("made", "advice"),
    [("run", "or go on with it (resume {path})"), ("folder", "or remove it"), ("file", "or remove it")],
)
def test_what_exists_is_not_overwritten(made: str, advice: str, tmp_path: Path) -> None:
    config = Config(log_dir=tmp_path, run_name="mine")
    path = tmp_path / "mine"
    if made == "run":
        RunFolder.create(config).close()
    elif made == "folder":
        path.mkdir()
    else:
        path.write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunFolderError) as caught:
        RunFolder.create(config)
    assert str(caught.value) == (
        f"can't start a run in {path}: it exists already. Choose another --run-name, {advice.format(path=path)}"
    )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("below", ["", "logs", "a/b"])
def test_a_log_dir_that_can_not_be_made(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunFolderError, match=r"can't make a folder in --log-dir .*/file.*: .*\. Choose another"):
        RunFolder.create(Config(log_dir=tmp_path / "file" / below))
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]


@pytest.mark.parametrize("num_good", range(6))
def test_a_full_disk_leaves_no_half_made_run(num_good: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    num_calls, fsync = 0, os.fsync

    def fill(descriptor: int) -> None:
        nonlocal num_calls
        num_calls += 1
        if num_calls > num_good:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    num_open = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # descriptors, not files
    monkeypatch.setattr(os, "fsync", fill)
    config = Config(log_dir=tmp_path, run_name="run")
    if num_good < 5:  # two files, each synced with its folder, and the folder's own name
        with pytest.raises(RunFolderError, match=r"can't write to .*/run: No space left on device"):
            RunFolder.create(config)
        assert not list(tmp_path.iterdir())
    else:
        RunFolder.create(config).close()
    assert len(os.listdir("/proc/self/fd")) == num_open  # noqa: PTH208


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_in_place_of_the_run_leads_nowhere(target: str, tmp_path: Path) -> None:
    """A run's name can't leave the log folder, not by what somebody put there either."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "run").symlink_to(tmp_path / target)
    with pytest.raises(RunFolderError, match="exists already"):
        RunFolder.create(Config(log_dir=tmp_path / "logs", run_name="run"))
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not (tmp_path / "nowhere").exists()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(RunFolderError, match=r"can't write to .*symbolic links"):
        RunFolder(tmp_path)
    assert not (tmp_path / "victim").exists()


def test_the_next_owner_clears_away_what_one_that_was_killed_was_writing(folder: RunFolder) -> None:
    (folder.path / ".summary.json.tmp").write_text("half")
    (folder.path / "mine.tmp").write_text("precious")
    with pytest.raises(RunFolderError):
        RunFolder(folder.path)
    assert (folder.path / ".summary.json.tmp").exists()  # its owner is alive
    folder.close()
    again = RunFolder(folder.path)
    assert not (folder.path / ".summary.json.tmp").exists()
    assert (folder.path / "mine.tmp").exists()
    folder._lock = again._lock  # closed by the fixture


def test_a_run_has_one_owner(folder: RunFolder) -> None:
    with pytest.raises(RunFolderError, match="belongs to a run that is still alive: wait for it, stop it, or"):
        RunFolder(folder.path)
    folder.close()
    again = RunFolder(folder.path)
    with pytest.raises(RunFolderError, match="still alive"):
        RunFolder(folder.path)
    folder._lock = again._lock  # closed by the fixture


def test_a_dead_owner_is_no_owner(tmp_path: Path) -> None:
    """However it died: the kernel lets go of its lock."""
    code = (
        "import os, pathlib, signal, sys; from pipeline.persist.runs import RunFolder; "
        "RunFolder(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    RunFolder.create(Config(log_dir=tmp_path, run_name="run")).close()
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "run"], check=False)
    assert done.returncode == -9
    RunFolder(tmp_path / "run").close()


def test_children_do_not_inherit_the_lock(folder: RunFolder) -> None:
    assert not os.get_inheritable(folder._lock)
    assert stat.S_IMODE((folder.path / ".lock").stat().st_mode) == 0o600


def test_a_folder_that_is_gone_or_read_only(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"can't write to .*/none: No such file or directory"):
        RunFolder(tmp_path / "none")
    with pytest.raises(RunFolderError, match="can't write to /proc/self: "):
        RunFolder(Path("/proc/self"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is not the folder of a run: it has no config.json. Give one like logs/tuesday"),
        (b"", "can't read .*config.json: Expecting value"),
        (b"\xff", "can't read .*config.json: 'utf-8' codec"),
        (b"[" * 100_000, "can't read .*config.json: nested too deeply"),
        (b"[1]", "can't read .*config.json: : Input should be a valid dictionary"),
        (b'{"workers": 0}', "can't read .*config.json: workers: Input should be greater than or equal to 1"),
        (b'{"later": 1}', "later: Extra inputs are not permitted. Was it edited, or written by another version"),
        (b'{"slots": 1, "workers": 2}', "can't read .*config.json: : Value error, 1 slots can't keep 2 workers busy"),
    ],
)
def test_a_configuration_that_can_not_be_read(content: bytes | None, told: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(RunFolderError, match=told) as caught:
        read_config(tmp_path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", ["none", "/dev/null", "/dev/null/x"])
def test_what_is_no_folder_holds_no_configuration(path: str) -> None:
    with pytest.raises(RunFolderError, match="is not the folder of a run"):
        read_config(Path(path))


def test_what_was_left_out_keeps_its_default(tmp_path: Path) -> None:
    values: dict[str, Any] = {"workers": 3}
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert read_config(tmp_path) == Config(workers=3)
