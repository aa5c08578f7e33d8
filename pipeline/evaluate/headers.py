"""Headers in shared memory, one for each task in flight: they tell what a worker plays when it dies or hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from native_buffers.block import SlotBlock
from native_buffers.layout import Field, Layout
from native_buffers.segment import SharedSegment
from pipeline.play.record import HEADER

if TYPE_CHECKING:
    from typing import Self

    from native_buffers.layout import Array

EVALUATION_HEADER = Layout(
    (
        *HEADER.fields,
        Field("num_played", (), "int64", "episodes of the task that have been played"),
        # written by a worker that plays an agent that others wrote
        Field("step", (), "int32", "that it is at, from 0; see `failure`"),
        Field("stepped_s", (), "float64", "seconds, since when; CLOCK_MONOTONIC of the worker's machine"),
    ),
    alignment=8,
)
"""As in training, and how far an episode has come: an agent that others wrote may take its time for each step."""
_NO_RECORD = Layout(())
"""What episodes come to is sent back."""


class Headers:
    """Slots that are headers alone, `EVALUATION_HEADER`. A context manager."""

    def __init__(self, segment: SharedSegment, num_slots: int) -> None:
        self._segment = segment
        self._block = SlotBlock(EVALUATION_HEADER, _NO_RECORD, segment.buffer, num_slots)
        self.name = segment.name
        """By which workers attach."""

    @classmethod
    def create(cls, num_slots: int) -> Self:
        """Create so many, all zero.

        Raises:
            SharedMemoryFull: If they don't fit.
        """
        size_bytes = num_slots * SlotBlock.slot_bytes_of(EVALUATION_HEADER, _NO_RECORD)
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
