"""Files of traces, read an episode at a time and checked. Nothing in them is believed, let alone executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.printable import printable, shown
from pipeline.trace.errors import TraceFileError
from pipeline.trace.trace import FORMAT, Header, Trace

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from typing import BinaryIO

MAX_LINE_BYTES: Final = 1 << 27
"""Of a line: an episode of 10,000 steps, the longest that there are, has about a seventh of it."""

Part = TypeVar("Part", Header, Trace)
_HEADER, _TRACE = TypeAdapter(Header), TypeAdapter(Trace)


class Traces:
    """The episodes of a file, in order, each time that it is iterated over; one is in memory at a time.

    Attributes:
        header: Who played which game.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            line = self._line(file, 1)
            self._check_format(line)
            self.header = self._parse(_HEADER, line, 1)

    def __iter__(self) -> Iterator[Trace]:
        """Yield the episodes.

        Raises:
            TraceFileError: The next line is damaged, or cut off; those before it were whole.
        """
        with self._open() as file:
            self._line(file, 1)
            number = 2
            while line := self._line(file, number):
                yield self._parse(_TRACE, line, number)
                number += 1

    def _open(self) -> BinaryIO:
        if self._path.exists() and not self._path.is_file():  # a pipe would be waited for
            raise TraceFileError(f"can't read {self._path}: not a plain file")
        try:
            return self._path.open("rb")
        except OSError as error:
            raise TraceFileError(f"can't read {self._path}: {error.strerror}") from None

    def _line(self, file: BinaryIO, number: int) -> bytes:
        try:
            line = file.readline(MAX_LINE_BYTES + 1)
        except OSError as error:
            raise TraceFileError(f"can't read {self._path}: {error.strerror}") from None
        if len(line) > MAX_LINE_BYTES:
            raise self._wrong(number, f"longer than {MAX_LINE_BYTES:,} bytes: no episode is")
        return line

    def _check_format(self, line: bytes) -> None:
        try:
            found: Any = json.loads(line)["trace_format"]
        except (KeyError, TypeError, ValueError, RecursionError):
            msg = f"{self._path} is no file of traces: its first line doesn't tell a trace_format"
            raise TraceFileError(msg) from None
        if found != FORMAT:
            msg = f"{self._path} has traces of format {shown(found)}, and this version reads format {FORMAT}"
            raise TraceFileError(msg)

    def _parse(self, part: TypeAdapter[Part], line: bytes, number: int) -> Part:
        try:
            return part.validate_json(line, strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if not line.endswith(b"\n"):
                raise self._wrong(number, "cut off: the file was still being written, or its end is lost") from None
            where = "".join(f"{printable(str(name))}: " for name in [".".join(map(str, first["loc"]))] if name)
            what = printable(first["msg"]).partition(" at line ")[0]  # which counts within the line
            raise self._wrong(number, where + what) from None

    def _wrong(self, number: int, what: str) -> TraceFileError:
        return TraceFileError(f"{self._path}, line {number}: {what}")


def read_traces(path: str | os.PathLike[str]) -> Traces:
    """Return the episodes of a file that `run.py trace --to` or `run.py evaluate --trace` wrote.

    ```python
    traces = read_traces("games.jsonl")
    print(traces.header.agent)
    worst = min(traces, key=lambda trace: trace.total_reward)
    ```

    Raises:
        TraceFileError: There is no such file, or it isn't one of traces in this version's format.
    """
    return Traces(Path(path))
