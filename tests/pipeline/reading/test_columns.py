from __future__ import annotations

import numpy as np

from pipeline.reading.columns import Columns


def test_columns_grow_line_by_line() -> None:
    columns = Columns(["b", "a"])
    columns.extend([])
    columns.extend([b"a,text,b"])
    assert len(columns) == 0
    for start in range(0, 3000, 1500):
        columns.extend([f"{row},x,{-row}".encode() for row in range(start, start + 1500)])
    assert len(columns) == 3000
    assert np.array_equal(columns.column("a"), np.arange(3000))
    assert np.array_equal(columns.column("b"), -np.arange(3000))
    assert columns.num_damaged == 0


def test_lines_that_are_none_are_left_out_and_counted() -> None:
    columns = Columns(["a"])
    columns.extend([b"a,text"])
    columns.extend([b"1,x", b"no number,x", b"2", b"", b'3,"quoted, with a comma"', b"\xff,x", b'4,"open', b"5,x"])
    assert columns.column("a").tolist() == [1, 3, 5]
    assert columns.num_damaged == 5


def test_a_column_that_another_version_lacks_is_not_a_number() -> None:
    columns = Columns(["a", "new"])
    columns.extend([b"a", b"1"])
    assert columns.column("a").tolist() == [1]
    assert np.isnan(columns.column("new")).all()


def test_what_was_seen_stays_as_it_is() -> None:
    columns = Columns(["a"])
    columns.extend([b"a", b"1"])
    seen = columns.column("a")
    columns.extend([str(row).encode() for row in range(5000)])
    assert seen.tolist() == [1]
    columns.clear()
    assert (len(columns), seen.tolist()) == (0, [1])
