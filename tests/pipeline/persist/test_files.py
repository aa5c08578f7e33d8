from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.persist.files import open_log, write_bytes, write_json


@pytest.mark.parametrize("content", [b"", b"\0\xff\n", b"x" * 100_000])
def test_a_file_is_written_and_replaced_whole(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for written in (content, b"other", content):
        write_bytes(path, written)
        assert path.read_bytes() == written
    assert list(tmp_path.iterdir()) == [path]


class DiskFullError(OSError):
    pass


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_file_that_can_not_be_written_stays_as_it_was(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(*_: Any) -> None:
        raise DiskFullError

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(DiskFullError):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_and_name_are_both_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename that is on disk before what it names, or not at all, would lose a checkpoint in a power cut."""
    path, done = tmp_path / "file", []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        done.append(("fsync", target.name, target.stat().st_size if target.is_file() else None))
        fsync(descriptor)

    def note_replace(source: Path, target: Path) -> None:
        done.append(("replace", Path(target).name, None))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    write_bytes(path, b"content")
    assert done == [("fsync", ".file.tmp", 7), ("replace", "file", None), ("fsync", tmp_path.name, None)]


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "none" / "file", b"")


def test_json_is_for_people_and_for_every_parser(tmp_path: Path) -> None:
    path, value = tmp_path / "file.json", {"a": [1, 2.5, None], "b": {"ä": "±"}}
    write_json(path, value)
    assert json.loads(path.read_text()) == value
    assert path.read_text().endswith("}\n")
    assert len(path.read_text().splitlines()) > 5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), object(), {1, 2}])
def test_what_json_has_no_word_for_is_refused_and_nothing_is_written(value: object, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"old": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(path, {"new": [value]})
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


LINES = b"one\ntw\xc3\xb6\nthree\n"


@pytest.mark.parametrize(
    ("there", "size", "kept"),
    [
        (LINES, None, b""),
        (LINES, len(LINES), LINES),
        (LINES, 9, b"one\ntw\xc3\xb6\n"),
        (LINES, 4, b"one\n"),
        (LINES, 0, b""),
        (LINES[:-1], len(LINES), b"one\ntw\xc3\xb6\n"),  # the last line was not whole
        (b"", 9, b""),
        (None, 9, b""),
        (None, None, b""),
    ],
)
def test_a_log_is_cut_to_what_belongs_to_the_checkpoint(
    there: bytes | None, size: int | None, kept: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    if there is not None:
        path.write_bytes(there)
    with open_log(path, size) as log:
        assert log.tell() == len(kept)
        log.write("ä\n")
        log.flush()
        assert log.tell() == len(kept) + 3
    assert path.read_bytes() == kept + b"\xc3\xa4\n"
