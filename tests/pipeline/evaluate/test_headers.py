from __future__ import annotations

import pytest

from native_buffers.errors import SegmentMissing
from pipeline.evaluate.headers import EVALUATION_HEADER, Headers


def test_what_a_worker_writes_is_read_by_its_parent() -> None:
    with Headers.create(3) as headers, Headers.attach(headers.name, 3) as attached:
        for slot in range(3):
            assert {name: view.item() for name, view in headers[slot].items()} == {
                field.name: b"" if field.dtype.startswith("S") else 0 for field in EVALUATION_HEADER.fields
            }
            attached[slot]["worker_pid"][...] = 70 + slot
        assert [int(headers[slot]["worker_pid"]) for slot in range(3)] == [70, 71, 72]
    with pytest.raises(SegmentMissing):
        Headers.attach(headers.name, 3)
