from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.experiment.asked import AskedFolder, Form
from pipeline.experiment.errors import ExperimentError
from pipeline.persist.runs import RunFolderError

if TYPE_CHECKING:
    from pathlib import Path

FORM: Form[dict[str, Any]] = Form(
    "outing", "go", "outing.toml", dict, lambda asked: {"miles": int(asked["miles"])}, lambda one, two: f"{one}, {two}"
)


def test_what_was_asked_is_there_as_long_as_the_folder(tmp_path: Path) -> None:
    with AskedFolder(tmp_path / "x", {"miles": 3}, FORM) as folder:
        assert folder.path == tmp_path / "x"
        with pytest.raises(RunFolderError, match="still alive"):
            AskedFolder(tmp_path / "x", {"miles": 3}, FORM)
    assert FORM.read(tmp_path / "x") == {"miles": 3}
    text = (tmp_path / "x" / "outing.toml").read_text()
    assert text == "# What was asked of this outing. `run.py go FOLDER` goes on with it.\nmiles = 3\n"


def test_another_plan_is_refused_and_the_lock_is_free(tmp_path: Path) -> None:
    AskedFolder(tmp_path, {"miles": 3}, FORM).close()
    with pytest.raises(ExperimentError, match=r"holds another outing: \{'miles': 3\}, \{'miles': 4\}. Choose .*: go /"):
        AskedFolder(tmp_path, {"miles": 4}, FORM)
    AskedFolder(tmp_path, {"miles": 3}, FORM).close()


def test_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    with pytest.raises(ExperimentError, match="holds something else than an outing"):
        AskedFolder(tmp_path, {"miles": 3}, FORM)
    assert not FORM.is_in(tmp_path)
    with pytest.raises(ExperimentError, match=r"not the folder of an outing: it has no outing\.toml"):
        FORM.read(tmp_path)


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExperimentError, match=r"can't (read|make)"):
        AskedFolder(tmp_path / "file", {"miles": 3}, FORM)


@pytest.mark.parametrize(
    ("text", "told"), [("", "it lacks 'miles'"), ("miles = []", "it is no plan"), ("=", "Invalid")]
)
def test_a_damaged_file_is_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "outing.toml").write_text(text)
    with pytest.raises(ExperimentError, match=told):
        FORM.read(tmp_path)


def test_a_pipe_is_no_plan(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "outing.toml")
    with pytest.raises(ExperimentError, match="can't read"):
        FORM.read(tmp_path)
