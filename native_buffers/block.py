"""Slots without states: headers and records side by side in one stretch of memory, shared or not.

    | header 0 | record 0 | header 1 | record 1 | ...

A ring is such a block in shared memory. A block in ordinary memory holds the same bytes where no memory is shared:
sent through a pipe or to another machine, it is copied into a ring's slots as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from native_buffers.layout import Array, Layout, round_up

if TYPE_CHECKING:
    from typing import Self

    import numpy.typing as npt

SLOT_ALIGNMENT = 64
"""Bytes; a cache line, so that two workers never write the same one."""


class SlotBlock:
    """Views of the slots in a buffer, made once per slot and handed out again."""

    def __init__(self, header: Layout, record: Layout, buffer: memoryview, num_slots: int, offset: int = 0) -> None:
        """Look at a buffer as slots.

        Args:
            header: Of each slot.
            record: Of each slot, behind its header.
            buffer: At least `offset + num_slots * slot_bytes` bytes.
            num_slots: How many there are.
            offset: Where the first one begins.
        """
        self.slot_bytes = self.slot_bytes_of(header, record)
        """Of one slot, padding included."""
        self.num_slots = num_slots
        self._header = header
        self._record = record
        self._record_offset = round_up(header.size_bytes, SLOT_ALIGNMENT)
        self._buffer = buffer
        self._offset = offset
        self._headers: dict[int, dict[str, Array]] = {}
        self._records: dict[int, dict[str, Array]] = {}

    @classmethod
    def of_images(cls, header: Layout, record: Layout, images: npt.NDArray[np.uint8]) -> Self:
        """Look at images as slots: `[num_slots, slot_bytes]` uint8, contiguous."""
        return cls(header, record, images.reshape(-1).data, len(images))

    @staticmethod
    def slot_bytes_of(header: Layout, record: Layout) -> int:
        """Return the bytes of one slot of these layouts, padding included."""
        return round_up(header.size_bytes, SLOT_ALIGNMENT) + round_up(record.size_bytes, SLOT_ALIGNMENT)

    def header(self, slot: int) -> dict[str, Array]:
        """Return the views of a slot's header by name, scalars as 0-d arrays; the same dict each time."""
        views = self._headers.get(slot)
        if views is None:
            views = self._headers[slot] = self._header.views(self._buffer, self._start(slot))
        return views

    def record(self, slot: int) -> dict[str, Array]:
        """Return the views of a slot's record by name; the same dict each time."""
        views = self._records.get(slot)
        if views is None:
            views = self._records[slot] = self._record.views(self._buffer, self._start(slot) + self._record_offset)
        return views

    def image(self, slot: int) -> npt.NDArray[np.uint8]:
        """Return all bytes of a slot as a view, `[slot_bytes]` uint8."""
        return np.ndarray((self.slot_bytes,), np.uint8, self._buffer, self._start(slot))

    def close(self) -> None:
        """Let go of the buffer: views that are held elsewhere live on, new ones raise ValueError. May be repeated."""
        self._headers.clear()
        self._records.clear()
        self._buffer = memoryview(b"")
        self._buffer.release()

    def _start(self, slot: int) -> int:
        return self._offset + slot * self.slot_bytes
