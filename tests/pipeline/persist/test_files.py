from __future__ import annotations

import errno
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.persist.files import Log, WriteError, read_bytes, read_json, write_bytes, write_json


@pytest.mark.parametrize("content", [b"", b"\0\xff\n", b"x" * 100_000])
def test_a_file_is_written_and_replaced_whole(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for written in (content, b"other", content):
        write_bytes(path, written)
        assert path.read_bytes() == written
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_file_that_can_not_be_written_stays_as_it_was(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(WriteError) as caught:
        write_bytes(path, b"new")
    assert str(caught.value) == (
        f"can't write {path}: No space left on device. Make room there, then resume the run: it goes on from its last "
        "checkpoint"
    )
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


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"can't write .*/none/file: No such file or directory. Put the run's folder"):
        write_bytes(tmp_path / "none" / "file", b"")


def test_what_a_crash_left_under_the_temporary_name_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".file.tmp").write_bytes(b"half")
    write_bytes(tmp_path / "file", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["file", ".file.tmp"])
def test_a_link_that_somebody_put_there_is_not_followed(name: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / name).symlink_to(victim)
    write_bytes(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"new"
    assert not (tmp_path / "file").is_symlink()
    (tmp_path / "link").symlink_to(victim)
    for use in (Log, read_bytes, read_json):
        with pytest.raises((WriteError, OSError), match="symbolic links"):
            use(tmp_path / "link")
    assert victim.read_bytes() == b"precious"


def test_nobody_waits_for_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for use in (read_bytes, read_json, Log):
        with pytest.raises((WriteError, OSError), match="Not a plain file"):
            use(tmp_path / "pipe")
    num_open = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # descriptors, not files
    with pytest.raises(WriteError, match="Is a directory"):
        Log(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == num_open  # noqa: PTH208


def test_json_that_would_overflow_the_stack_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(tmp_path / "file")


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
    log = Log(path, size)
    assert log.size_bytes == len(kept)
    log.write("ä\n")
    assert log.size_bytes == len(kept) + 3
    assert path.read_bytes() == kept + b"\xc3\xa4\n"  # before it is closed: a run is watched while it goes on
    log.close()
    assert path.read_bytes() == kept + b"\xc3\xa4\n"


@pytest.mark.parametrize("num_written", [0, 1, 5])
def test_a_line_that_does_not_fit_is_taken_back(
    num_written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = Log(tmp_path / "log"), os.write
    log.write("one\n")

    def fill(descriptor: int, content: bytes) -> int:
        if len(content) < len(b"second\n"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:num_written])

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", fill if num_written else full)
    with pytest.raises(WriteError, match=r"can't write .*/log: No space left on device\. Make room there"):
        log.write("second\n")
    monkeypatch.undo()
    assert (tmp_path / "log").read_bytes() == b"one\n"
    log.write("third\n")  # once there is room
    log.close()
    assert (tmp_path / "log").read_bytes() == b"one\nthird\n"
    assert log.size_bytes == len(b"one\nthird\n")


def test_a_thread_writes_in_order_and_tells_what_it_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, write = threading.Event(), os.write
    with ThreadPoolExecutor(1) as thread:
        log = Log(tmp_path / "log", thread=thread)
        thread.submit(gate.wait)
        log.write("one\n")
        log.write("two\n")
        assert log.size_bytes == 8
        assert (tmp_path / "log").read_bytes() == b""  # nobody waited for the disk
        gate.set()
        thread.submit(int).result()
        assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"
        log.check()

        def full(file: int, content: bytes) -> int:
            if file == log._file:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(file, content)

        monkeypatch.setattr(os, "write", full)
        log.write("three\n")
        thread.submit(int).result()
        monkeypatch.undo()
        with pytest.raises(WriteError, match="No space left"):
            log.write("four\n")  # after a gap nothing is written
        with pytest.raises(WriteError, match="No space left"):
            log.check()
        log.close()
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_close_waits_for_the_thread(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as thread:
        log = Log(tmp_path / "log", thread=thread)
        for index in range(100):
            log.write(f"{index}\n")
        log.close()
        assert (tmp_path / "log").read_text().splitlines() == [str(index) for index in range(100)]


@pytest.mark.parametrize("num_bytes", [0, 1, 65535, 65536, 65537, 200_000])
def test_the_end_of_the_last_whole_line_is_found_without_reading_the_log(num_bytes: int, tmp_path: Path) -> None:
    """A run of days has gigabytes of log, and is resumed on somebody's event loop."""
    path = tmp_path / "log"
    start = b"a line\n" * 3
    path.write_bytes(start + b"x" * num_bytes)
    log = Log(path, 10**12)
    assert log.size_bytes == len(start) == path.stat().st_size
    log.close()
    with path.open("r+b") as file:
        file.truncate(2**34)  # a hole, which takes no room: reading it would take seconds and all memory
        file.seek(2**34 - 5)
        file.write(b"end\n.")
    log = Log(path, 10**12)
    assert log.size_bytes == 2**34 - 1
    log.close()
