from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import SetupError
from pipeline.reading.folders import RunFolders, UnknownRunError


def make(path: Path, *files: str) -> Path:
    path.mkdir(parents=True)
    for name in files or ("config.json",):
        (path / name).write_text("{}")
    return path


def test_runs_are_folders_with_something_of_a_run_in_them(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    whole = make(logs / "whole")
    make(logs / "without-configuration", "training_log.csv")
    make(logs / "other", "notes.txt")
    (logs / "file").write_text("")
    folders = RunFolders(logs)
    assert folders.names() == ["whole", "without-configuration"]
    assert folders.path("whole") == whole


def test_a_folder_of_logs_that_is_not_there_has_no_runs(tmp_path: Path) -> None:
    assert RunFolders(tmp_path / "none").names() == []


@pytest.mark.parametrize("name", ["", ".", "..", "../outside", "run/../run", "/etc", "\0", "none", "\udcff", "other"])
def test_a_name_means_a_run_of_the_folder_and_nothing_else(name: str, tmp_path: Path) -> None:
    make(tmp_path / "outside")
    make(tmp_path / "logs" / "run")
    make(tmp_path / "logs" / "other", "notes.txt")
    with pytest.raises(UnknownRunError):
        RunFolders(tmp_path / "logs").path(name)


def test_a_link_to_elsewhere_is_no_run(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "link").symlink_to(outside)
    folders = RunFolders(tmp_path / "logs")
    assert folders.names() == []
    with pytest.raises(UnknownRunError, match="there is no run 'link'"):
        folders.path("link")


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    make(tmp_path / os.fsdecode(b"run-\xff"))
    assert RunFolders(tmp_path).names() == []


def test_named_runs_are_meant_alone(tmp_path: Path) -> None:
    one, _ = make(tmp_path / "logs" / "one"), make(tmp_path / "logs" / "two")
    folders = RunFolders(tmp_path / "logs", [one, Path(os.path.relpath(one))])
    assert folders.names() == ["one"]
    assert folders.path("one") == one
    with pytest.raises(UnknownRunError):
        folders.path("two")


def test_what_is_named_must_be_runs_of_different_names(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="is not the folder of a run"):
        RunFolders(tmp_path, [tmp_path])
    a, b = make(tmp_path / "a" / "run"), make(tmp_path / "b" / "run")
    with pytest.raises(SetupError, match="same name"):
        RunFolders(tmp_path, [a, b])
