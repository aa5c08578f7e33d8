from __future__ import annotations

import numpy as np
import pytest

from native_buffers.block import SLOT_ALIGNMENT, SlotBlock
from native_buffers.layout import Field, Layout
from native_buffers.ring import EpisodeRing

HEADER = Layout((Field("serial", (), "int64", "serial"), Field("flag", (), "uint8", "bool")), alignment=8)
RECORD = Layout((Field("value", (3,), "float64", "point"), Field("bit", (5,), "int8", "bit")))


def images(num_slots: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.zeros((num_slots, SlotBlock.slot_bytes_of(HEADER, RECORD)), np.uint8)


def test_slots_lie_side_by_side() -> None:
    bytes_of = images(3)
    block = SlotBlock.of_images(HEADER, RECORD, bytes_of)
    assert block.num_slots == 3
    assert block.slot_bytes % SLOT_ALIGNMENT == 0
    for slot in range(3):
        block.header(slot)["serial"][...] = slot + 1
        block.record(slot)["value"][...] = 10.0 * slot
        assert np.shares_memory(block.image(slot), bytes_of[slot])
    assert [int(block.header(slot)["serial"]) for slot in range(3)] == [1, 2, 3]
    assert [block.record(slot)["value"].tolist() for slot in range(3)] == [[0.0] * 3, [10.0] * 3, [20.0] * 3]
    assert block.header(1) is block.header(1)


def test_an_image_is_a_slot_of_a_ring() -> None:
    bytes_of = images(2)
    block = SlotBlock.of_images(HEADER, RECORD, bytes_of)
    block.header(1)["serial"][...] = 7
    block.record(1)["bit"][...] = range(5)
    with EpisodeRing.create(HEADER, RECORD, 4) as ring:
        ring.image(2)[:] = bytes_of[1]
        assert int(ring.header(2)["serial"]) == 7
        assert ring.record(2)["bit"].tolist() == [0, 1, 2, 3, 4]
        assert int(ring.header(1)["serial"]) == int(ring.header(3)["serial"]) == 0
        assert ring.image(2).tobytes() == bytes_of[1].tobytes()
        with pytest.raises(IndexError):
            ring.image(4)


def test_too_small_a_buffer_is_refused() -> None:
    block = SlotBlock(HEADER, RECORD, memoryview(bytearray(10)), 1)
    with pytest.raises(TypeError):
        block.record(0)


def test_nothing_new_is_seen_after_close() -> None:
    block = SlotBlock.of_images(HEADER, RECORD, images(1))
    held = block.record(0)
    block.close()
    block.close()
    assert held["value"].tolist() == [0.0] * 3
    with pytest.raises(ValueError, match="released"):
        block.record(0)
