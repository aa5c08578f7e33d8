from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from pipeline.trace import reader
from pipeline.trace.errors import TraceFileError
from pipeline.trace.reader import read_traces
from pipeline.trace.trace import as_line
from tests.pipeline.trace.conftest import HEADER

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.trace.trace import Trace

HEAD = as_line(HEADER)


@pytest.fixture
def line(traces: list[Trace]) -> str:
    return as_line(traces[0])


def told(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TraceFileError) as caught:
        list(read_traces(path))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    return message.removeprefix(str(path))


def test_a_file_is_read_as_often_as_one_likes(tmp_path: Path, traces: list[Trace]) -> None:
    path = tmp_path / "games.jsonl"
    path.write_text(HEAD + "".join(map(as_line, traces)))
    found = read_traces(str(path))
    assert found.header == HEADER
    assert list(found) == list(found) == traces
    assert [next(iter(found)), *islice(found, 1)] == [traces[0], traces[0]]


def test_one_episode_is_in_memory_at_a_time(tmp_path: Path, line: str) -> None:
    """What comes after it may still be missing, or damaged."""
    path = tmp_path / "games.jsonl"
    path.write_text(HEAD + line + "{damaged")
    episodes = iter(read_traces(path))
    next(episodes)
    with pytest.raises(TraceFileError, match="line 3: cut off"):
        next(episodes)


def test_a_file_without_episodes_is_one(tmp_path: Path) -> None:
    path = tmp_path / "games.jsonl"
    path.write_text(HEAD)
    assert list(read_traces(path)) == []


@pytest.mark.parametrize("content", ["", "\n", "[]\n", "{}\n", "null\n", "PK\x03\x04", b"\xff\xfe", "[" * 100_000])
def test_what_is_no_file_of_traces_is_told(content: str | bytes, tmp_path: Path) -> None:
    message = told(tmp_path / "x", content)
    assert message == " is no file of traces: its first line doesn't tell a trace_format"


def test_another_format_is_told(tmp_path: Path) -> None:
    message = told(tmp_path / "x", '{"trace_format":2,"more":1}\n')
    assert message == " has traces of format 2, and this version reads format 1"
    assert "\\x1b" in told(tmp_path / "x", '{"trace_format":"\\u001b[2J"}\n')


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('"success":true', '"success":1', "steps.0.blue.success: Input should be a valid boolean"),
        ('"success":true', '"success":true,"more":1', "steps.0.blue.more: Unexpected keyword argument"),
        ('"group":0,', "", "group: Field required"),
        ('"index":0', '"index":0.5', "index: Input should be a valid integer"),
        ('"index":0', '"index":"0"', "index: Input should be a valid integer"),
        ('"ot_service_up":true', '"ot_service_up":NaN', "steps.0.network.ot_service_up: Input should be a valid"),
        ('"action":"', '"action":"\x00', "Invalid JSON: control character"),
        ('"verdict":"none"', '"verdict":"x"', "steps.0.blue.verdict: Input should be 'none'"),
    ],
)
def test_a_damaged_line_is_named(before: str, after: str, expected: str, line: str, tmp_path: Path) -> None:
    assert before in line
    message = told(tmp_path / "x", HEAD + line + line.replace(before, after, 1))
    assert message.startswith(f", line 3: {expected}")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(number: str, line: str, traces: list[Trace], tmp_path: Path) -> None:
    before = f'"total_reward":{traces[0].total_reward}'
    assert before in line
    assert ", line 2: total_reward: " in told(tmp_path / "x", HEAD + line.replace(before, f'"total_reward":{number}'))


def test_every_place_where_a_line_can_end_early(line: str, tmp_path: Path) -> None:
    for size in range(1, len(line) - 1, 997):
        assert told(tmp_path / "x", HEAD + line[:size]).startswith(", line 2: cut off: ")
    (tmp_path / "x").write_text(HEAD + line[:-1])  # all but the end of the line
    assert len(list(read_traces(tmp_path / "x"))) == 1


def test_a_line_is_not_read_for_ever(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_LINE_BYTES", 1000)
    assert told(tmp_path / "x", HEAD + line) == ", line 2: longer than 1,000 bytes: no episode is"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match=r"can't read .*x: No such file or directory"):
        read_traces(tmp_path / "x")
    with pytest.raises(TraceFileError, match=r"can't read .*: not a plain file"):
        read_traces(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TraceFileError, match=r"can't read .*pipe: not a plain file"):  # and nobody waits
        read_traces(tmp_path / "pipe")
