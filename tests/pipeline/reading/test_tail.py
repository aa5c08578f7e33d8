from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reading import tail
from pipeline.reading.tail import Tail, first_bytes, last_lines


def lines_of(reader: Tail) -> list[bytes]:
    return [line for piece in reader.pieces() for line in piece.lines]


def was_anew(reader: Tail) -> bool:
    return any([piece.is_anew for piece in reader.pieces()])  # noqa: C419  # all are to be read


def test_what_was_written_since_is_read_and_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    reader = Tail(path)
    assert lines_of(reader) == []  # it isn't there yet
    path.write_bytes(b"one\ntw")
    assert lines_of(reader) == [b"one"]
    assert lines_of(reader) == []
    with path.open("ab") as file:
        file.write(b"o\nthree\n")
    assert lines_of(reader) == [b"two", b"three"]
    assert lines_of(reader) == []


def test_a_file_that_was_cut_and_goes_on_is_read_anew(tmp_path: Path) -> None:
    """As `resume` does: other lines, as long as the old ones, stand where those stood."""
    path = tmp_path / "log"
    path.write_bytes(b"a 1\nb 1\n")
    reader = Tail(path)
    assert not was_anew(reader)
    path.write_bytes(b"a 1\nb 2\nc 2\n")
    pieces = list(reader.pieces())
    assert [piece.is_anew for piece in pieces] == [True, False]
    assert pieces[1].lines == [b"a 1", b"b 2", b"c 2"]


@pytest.mark.parametrize("content", [b"", b"a", b"a 1\n"])
def test_a_file_that_was_cut_is_read_anew(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a 1\nb 1\n")
    reader = Tail(path)
    lines_of(reader)
    path.write_bytes(content)
    assert was_anew(reader)


def test_a_file_in_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "log", tmp_path / "other"
    path.write_bytes(b"a\n")
    other.write_bytes(b"a\n")
    reader = Tail(path)
    assert lines_of(reader) == [b"a"]
    other.replace(path)
    assert lines_of(reader) == [b"a"]
    path.unlink()
    assert was_anew(reader)
    assert not was_anew(reader)


def test_a_line_that_is_too_long_is_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "PIECE_BYTES", 8)
    path = tmp_path / "log"
    path.write_bytes(b"one\n" + b"x" * 30 + b"\ntwo\n")
    reader = Tail(path)
    pieces = list(reader.pieces())
    assert [line for piece in pieces for line in piece.lines] == [b"one", b"two"]
    assert sum(piece.num_too_long for piece in pieces) == 1


@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.data())
def test_however_it_is_written_all_lines_are_read_once(lines: list[bytes], data: st.DataObject) -> None:
    content = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        reader = Tail(path)
        read = []
        for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
            with path.open("ab") as file:
                file.write(content[start:end])
            read += lines_of(reader)
    assert read == lines


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_nothing_but_a_plain_file_is_read(kind: str, tmp_path: Path) -> None:
    path, secret = tmp_path / "log", tmp_path / "secret"
    secret.write_bytes(b"precious\n")
    if kind == "link":
        path.symlink_to(secret)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    for read in (lambda: lines_of(Tail(path)), lambda: last_lines(path, 10), lambda: first_bytes(path, 10)):
        with pytest.raises(OSError, match=r"symbolic|directory|plain"):
            read()


def test_the_end_of_a_log_is_read_in_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\nsecond\nthird\nhal")
    assert last_lines(path, 1000) == [b"first", b"second", b"third"]
    assert last_lines(path, 12) == [b"third"]
    assert first_bytes(path, 5) == b"first"
