"""What is asked for and can't be had; whole runs by command are in tests/faults."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.config import Config
from pipeline.persist.runs import RunFolder

if TYPE_CHECKING:
    from conftest import Mistake


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workerz = 2", "my.toml: unknown key 'workerz'; did you mean 'workers'?"),
        ("workers = []", "my.toml: workers []: must be a valid integer"),
        ("workers: 2", "--config my.toml: not valid TOML: Expected '=' after a key in a key/value pair"),
    ],
)
@pytest.mark.parametrize("command", ["train", "doctor"])
def test_a_mistake_in_a_file_is_told_in_one_line(command: str, text: str, told: str, mistake: Mistake) -> None:
    Path("my.toml").write_text(text)
    assert mistake(command, "--config", "my.toml").startswith(told)


def test_a_log_dir_that_can_not_be_written(mistake: Mistake) -> None:
    Path("file").write_text("")
    told = "can't make a folder in --log-dir {}: {}. Choose another"
    assert mistake("--log-dir", "file") == told.format("file", "File exists")
    assert mistake("--log-dir", "file/logs") == told.format("file/logs", "Not a directory")
    assert mistake("--log-dir", "/proc/logs") == told.format("/proc/logs", "No such file or directory")


def test_a_run_that_exists(mistake: Mistake) -> None:
    RunFolder.create(Config(run_name="tuesday")).close()
    Path("logs/mine").mkdir()
    assert mistake("--run-name", "tuesday") == (
        "can't start a run in logs/tuesday: it exists already. "
        "Choose another --run-name, or go on with it (resume logs/tuesday)"
    )
    assert mistake("--run-name", "mine").endswith("Choose another --run-name, or remove it")


def test_more_than_one_mistake_is_still_one_line(mistake: Mistake) -> None:
    """What is merely to be noted (more workers than cores) isn't told of a run that doesn't start."""
    Path("file").write_text("")
    mistake("--workers", "1000", "--log-dir", "file")
    mistake("--workers", "1000", "--log-dir", "file", "--json-logs")


HUGE = ("--workers", "1000", "--episodes-per-task", "10000")  # 20 million slots, 269 GiB


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or shutil.disk_usage("/dev/shm").total > 100 * 2**30,  # noqa: S108
    reason="needs a /dev/shm that is smaller than what the run asks for",
)
def test_a_full_shared_memory(mistake: Mistake) -> None:
    told = mistake(*HUGE)
    assert told.startswith("shared memory is full: 274.2 GiB needed, ")
    assert "fewer workers" in told
    assert "mount -o remount,size=" in told


def test_tensorboard_without_its_extra(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    assert mistake("--tensorboard") == "--tensorboard needs tensorboard: pip install 'cage2-pipeline[tensorboard]'"


def test_a_device_that_is_not_there(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert mistake("--device", "cuda").startswith("--device cuda: ")
