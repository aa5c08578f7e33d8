from __future__ import annotations

import resource
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.trace.errors import TraceFileError
from pipeline.trace.file import TraceFile, written_to
from pipeline.trace.reader import read_traces
from pipeline.trace.trace import as_line
from tests.pipeline.trace.conftest import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.trace.trace import Trace


def test_what_is_written_is_read(tmp_path: Path, traces: list[Trace]) -> None:
    path = tmp_path / "games.jsonl"
    with TraceFile(path, lambda: HEADER) as file:
        file.write("".join(map(as_line, traces[:2])))
        file.write("")
        file.write(as_line(traces[2]))
    assert read_traces(path).header == HEADER
    assert list(read_traces(path)) == traces


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "games.jsonl"
    path.write_text("mine")
    with pytest.raises(TraceFileError, match="exists already, and nothing is overwritten"):
        TraceFile(path, lambda: HEADER)
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TraceFileError, match="exists already"):
        TraceFile(tmp_path / "link.jsonl", lambda: HEADER)
    assert path.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["games.jsonl", "link.jsonl"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match=r"can't write .*nowhere/games.jsonl: No such file or directory"):
        TraceFile(tmp_path / "nowhere" / "games.jsonl", lambda: HEADER)


@pytest.fixture
def _small_files() -> Iterator[None]:
    """Files can't grow beyond 30 kB: as on a full disk, but for the error's name."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("_small_files")
def test_a_full_disk_leaves_whole_lines(tmp_path: Path, traces: list[Trace]) -> None:
    path = tmp_path / "games.jsonl"
    line = as_line(traces[0])
    assert 15_000 < len(line) < 29_000
    with TraceFile(path, lambda: HEADER) as file:
        file.write(line)
        with pytest.raises(TraceFileError, match=f"can't write {path}: File too large"):
            file.write(line)
    assert list(read_traces(path)) == traces[:1]


def test_a_header_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with (
            pytest.raises(TraceFileError, match="File too large"),
            TraceFile(tmp_path / "games.jsonl", lambda: HEADER) as file,
        ):
            file.write("")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_who_played_is_asked_when_somebody_has(tmp_path: Path, traces: list[Trace]) -> None:
    path, agent = tmp_path / "games.jsonl", HEADER.agent
    with TraceFile(path, lambda: replace(HEADER, agent=agent)) as file:
        agent = {"name": "mine", "form": "a function"}
        for trace in traces:
            file.write(as_line(trace))
            agent = {"name": "another one"}
    assert read_traces(path).header.agent == {"name": "mine", "form": "a function"}
    with TraceFile(tmp_path / "none.jsonl", lambda: HEADER):
        pass
    assert [each.name for each in tmp_path.iterdir()] == ["games.jsonl"]


def test_nothing_is_written_where_no_file_is_wanted(tmp_path: Path, traces: list[Trace]) -> None:
    with written_to(None, lambda: HEADER) as write:
        write(as_line(traces[0]))
    path = tmp_path / "games.jsonl"
    with written_to(path, lambda: HEADER) as write:
        write(as_line(traces[0]))
    assert list(read_traces(path)) == traces[:1]
