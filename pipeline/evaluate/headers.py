"""Headers in shared memory, one for each task in flight: they tell what a worker plays when it dies or hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from native_buffers.block import SlotBlock
from native_buffers.layout import Layout
from native_buffers.segment import SharedSegment
from pipeline.play.record import HEADER

if TYPE_CHECKING:
    from typing import Self

    from native_buffers.layout import Array

_NO_RECORD = Layout(())
"""What episodes come to is sent back."""


class Headers:
    """Slots that are headers alone, `record.HEADER`. A context manager."""

    def __init__(self, segment: SharedSegment, num_slots: int) -> None:
        self._segment = segment
        self._block = SlotBlock(HEADER, _NO_RECORD, segment.buffer, num_slots)
        self.name = segment.name
        """By which workers attach."""

    @classmethod
    def create(cls, num_slots: int) -> Self:
        """Create so many, all zero.

        Raises:
            SharedMemoryFull: If they don't fit.
        """
        size_bytes = num_slots * SlotBlock.slot_bytes_of(HEADER, _NO_RECORD)
        return cls(SharedSegment.create(size_bytes, "headers"), num_slots)

    @classmethod
    def attach(cls, name: str, num_slots: int) -> Self:
        """Attach to another process's.

        Raises:
            SegmentMissing: If there are none of this name.
        """
        return cls(SharedSegment.attach(name), num_slots)

    def __getitem__(self, slot: int) -> dict[str, Array]:
        """Return the views of a slot's header by name, scalars as 0-d arrays; the same dict each time."""
        return self._block.header(slot)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._block.close()
        self._segment.close()
        if self._segment.owned:
            self._segment.unlink()
