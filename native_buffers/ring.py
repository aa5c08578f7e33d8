"""A ring of preallocated slots: workers write records into them, the owner reads them in place.

    owner                                            worker
      lease() -> slot, writes header(slot)
                 ------------ slot ------------->     reads header(slot), writes record(slot)
                                                      fill(slot)
                 <----------- slot --------------
      consume(slot), reads record(slot), free(slot)

Only the index crosses between the processes, by whatever queue or pipe the caller has; nothing in the ring
waits or signals. That hand-over is also what orders memory: what was written before the index was sent is
seen by whoever received it. The state in shared memory is a check on top: each slot is one side's at a time.

    | seal | state of each slot, uint8 | header 0 | record 0 | header 1 | record 1 | ...
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from native_buffers.block import SLOT_ALIGNMENT, SlotBlock
from native_buffers.errors import NotOwner, UnwrittenFields
from native_buffers.layout import SEAL_BYTES, Array, Layout, round_up, seal, verify_seal
from native_buffers.segment import SharedSegment
from native_buffers.slots import SlotEvent, SlotState, advance

if TYPE_CHECKING:
    from typing import Self

    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class RingStatistics:
    """What the slots of a ring are doing, and what they cost."""

    num_slots: int
    num_free: int
    num_leased: int
    num_filled: int
    num_consumed: int
    num_lost: int
    slot_bytes: int
    """Of one slot, header and padding included."""
    size_bytes: int
    """Of the whole segment."""


class EpisodeRing:
    """Slots of one header and one record each. A context manager; made by `create` or `attach`.

    Views are made once per slot and handed out again. They show whatever the slot holds *now*: copy out of a
    record before `free`, since the next lease of the slot overwrites it under any view that is still held.
    After `close`, held views keep their bytes mapped, and everything else raises ValueError.
    """

    def __init__(self, segment: SharedSegment, header: Layout, record: Layout, num_slots: int, *, debug: bool) -> None:
        self.name = segment.name
        """By which workers attach."""
        self.num_slots = num_slots
        self._segment = segment
        self._record = record
        self._debug = debug
        self._states = segment.buffer[SEAL_BYTES : SEAL_BYTES + num_slots]
        self._free = deque(range(num_slots) if segment.owned else ())
        self._block = SlotBlock(header, record, segment.buffer, num_slots, _slots_offset(num_slots))

    @classmethod
    def create(cls, header: Layout, record: Layout, num_slots: int, debug: bool = False) -> Self:
        """Allocate a ring whose slots are all free. This process becomes its owner.

        Args:
            header: What the two sides tell each other about a record.
            record: What the worker writes.
            num_slots: How many, `>= 1`.
            debug: Fill records with their fields' poison when they are leased and freed, and refuse those
                that are handed over with poison left in them.

        Raises:
            SharedMemoryFull: The system has less shared memory left than the ring needs.
            ValueError: Of `num_slots < 1`.
        """
        if num_slots < 1:
            raise ValueError(f"a ring has at least one slot, not {num_slots}")
        segment = SharedSegment.create(cls.size_needed(header, record, num_slots), "ring")
        seal(segment.buffer, header, record, num_slots)
        return cls(segment, header, record, num_slots, debug=debug)

    @classmethod
    def attach(cls, name: str, header: Layout, record: Layout, num_slots: int, debug: bool = False) -> Self:
        """Attach to the ring that another process created with the same layouts and number of slots.

        Args:
            name: The ring's `name`.
            header: As it was created with.
            record: As it was created with.
            num_slots: As it was created with.
            debug: Refuse to fill a slot while poison is left in its record.

        Raises:
            SegmentMissing: There is no such ring, or no longer.
            LayoutMismatch: It was created with others.
        """
        segment = SharedSegment.attach(name)
        try:
            verify_seal(segment.buffer, header, record, num_slots)
        except BaseException:
            segment.close()
            raise
        return cls(segment, header, record, num_slots, debug=debug)

    @staticmethod
    def size_needed(header: Layout, record: Layout, num_slots: int) -> int:
        """Return the bytes that `create` would allocate."""
        return _slots_offset(num_slots) + num_slots * SlotBlock.slot_bytes_of(header, record)

    @property
    def num_free(self) -> int:
        """Slots that `lease` can still hand out; 0 where the ring was attached."""
        return len(self._free)

    def header(self, slot: int) -> dict[str, Array]:
        """Return the views of a slot's header by name, scalars as 0-d arrays; the same dict each time.

        Raises:
            IndexError: There is no such slot.
        """
        self._assert_slot(slot)
        return self._block.header(slot)

    def record(self, slot: int) -> dict[str, Array]:
        """Return the views of a slot's record by name; the same dict each time.

        Raises:
            IndexError: There is no such slot.
        """
        self._assert_slot(slot)
        return self._block.record(slot)

    def image(self, slot: int) -> npt.NDArray[np.uint8]:
        """Return all bytes of a slot, header and record, `[slot_bytes]` uint8: what `SlotBlock` sends elsewhere.

        Raises:
            IndexError: There is no such slot.
        """
        self._assert_slot(slot)
        return self._block.image(slot)

    def lease(self) -> int | None:
        """Take the slot that has been free for longest, to be given to one worker; None when none is free.

        Its header holds whatever its last use left there.

        Raises:
            NotOwner: The ring was attached.
        """
        self._assert_owned()
        if not self._free:
            return None
        slot = self._free.popleft()
        self._advance(slot, SlotEvent.LEASE)
        return slot

    def fill(self, slot: int) -> None:
        """Declare a leased slot's record complete. The worker must not touch it any more.

        Raises:
            IllegalTransition: The slot is not leased.
            UnwrittenFields: Debug only: poison is left in the record. The slot stays leased.
        """
        self._advance(slot, SlotEvent.FILL)

    def consume(self, slot: int) -> None:
        """Take a filled slot to read it.

        Raises:
            IllegalTransition: The slot is not filled.
            NotOwner: The ring was attached.
            UnwrittenFields: Debug only: poison is left in the record. The slot stays filled.
        """
        self._advance(slot, SlotEvent.CONSUME)

    def lose(self, slot: int) -> None:
        """Give up on a leased slot. Its worker must be dead, or never have been given it.

        Raises:
            IllegalTransition: The slot is not leased. If it is filled, its record is complete: consume it.
            NotOwner: The ring was attached.
        """
        self._advance(slot, SlotEvent.LOSE)

    def free(self, slot: int) -> None:
        """Put a consumed or lost slot at the end of the line. Its views mean nothing from here on.

        Raises:
            IllegalTransition: The slot is neither consumed nor lost.
            NotOwner: The ring was attached.
        """
        self._advance(slot, SlotEvent.FREE)
        self._free.append(slot)

    def state(self, slot: int) -> SlotState:
        """Return what a slot is doing now.

        Raises:
            IndexError: There is no such slot.
        """
        self._assert_slot(slot)
        return SlotState(self._states[slot])

    def states(self) -> npt.NDArray[np.uint8]:
        """Return a copy of all `SlotState`s, `[num_slots]` uint8."""
        return np.frombuffer(self._states, np.uint8).copy()

    def statistics(self) -> RingStatistics:
        """Count the slots by state. Workers may fill some meanwhile."""
        counts = np.bincount(self.states(), minlength=len(SlotState)).tolist()
        return RingStatistics(
            num_slots=self.num_slots,
            num_free=counts[SlotState.FREE],
            num_leased=counts[SlotState.LEASED],
            num_filled=counts[SlotState.FILLED],
            num_consumed=counts[SlotState.CONSUMED],
            num_lost=counts[SlotState.LOST],
            slot_bytes=self._block.slot_bytes,
            size_bytes=self._segment.size_bytes,
        )

    def close(self) -> None:
        """Give up this process's access. May be repeated."""
        self._block.close()
        self._states.release()
        self._segment.close()

    def unlink(self) -> None:
        """Remove the ring's name; who is attached keeps the ring until it closes. May be repeated.

        Raises:
            NotOwner: The ring was attached.
        """
        self._segment.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._segment.owned:
            self.unlink()

    def _advance(self, slot: int, event: SlotEvent) -> None:
        if event is not SlotEvent.FILL:
            self._assert_owned()
        state = advance(self.state(slot), event, slot)
        if self._debug:
            self._poison_or_check(slot, event)
        self._states[slot] = state

    def _poison_or_check(self, slot: int, event: SlotEvent) -> None:
        record = self.record(slot)
        if event in (SlotEvent.LEASE, SlotEvent.FREE):
            self._record.poison(record)
        elif event in (SlotEvent.FILL, SlotEvent.CONSUME) and (fields := self._record.poisoned(record)):
            raise UnwrittenFields(slot, fields)

    def _assert_owned(self) -> None:
        if not self._segment.owned:
            raise NotOwner(self.name)

    def _assert_slot(self, slot: int) -> None:
        if not 0 <= slot < self.num_slots:
            raise IndexError(f"slot {slot} is not one of the {self.num_slots} of ring {self.name!r}")


def _slots_offset(num_slots: int) -> int:
    return round_up(SEAL_BYTES + num_slots, SLOT_ALIGNMENT)
