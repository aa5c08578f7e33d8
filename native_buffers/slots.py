"""The life of a slot: a pure state machine. It moves no byte and knows no process.

          lease             fill              consume
    FREE --------> LEASED --------> FILLED --------> CONSUMED
     ^               |                                   |
     |               | lose                              |
     |     free      v                                   |
     +------------- LOST                                 |
     |                                    free           |
     +---------------------------------------------------+

The owner leases a slot to one writer; the writer fills it; the owner consumes it (the reader is looking at
it) and frees it. A writer that died leaves its slot LEASED: the owner declares it lost, and frees it.
"""

from __future__ import annotations

from enum import IntEnum

from native_buffers.errors import NativeBufferError


class SlotState(IntEnum):
    """Where a slot is in its life, as a uint8 in shared memory. Fresh memory is zero, so FREE."""

    FREE = 0
    """Nobody's; its content means nothing."""
    LEASED = 1
    """One writer's."""
    FILLED = 2
    """Complete, and nobody's until it is consumed."""
    CONSUMED = 3
    """The reader's."""
    LOST = 4
    """Its writer is dead; its content is incomplete."""


class SlotEvent(IntEnum):
    """What can happen to a slot."""

    LEASE = 0
    FILL = 1
    CONSUME = 2
    LOSE = 3
    FREE = 4


TRANSITIONS: dict[tuple[SlotState, SlotEvent], SlotState] = {
    (SlotState.FREE, SlotEvent.LEASE): SlotState.LEASED,
    (SlotState.LEASED, SlotEvent.FILL): SlotState.FILLED,
    (SlotState.FILLED, SlotEvent.CONSUME): SlotState.CONSUMED,
    (SlotState.CONSUMED, SlotEvent.FREE): SlotState.FREE,
    (SlotState.LEASED, SlotEvent.LOSE): SlotState.LOST,
    (SlotState.LOST, SlotEvent.FREE): SlotState.FREE,
}
"""All that is legal; everything else raises."""


class IllegalTransition(NativeBufferError):  # noqa: N818  # named after what is so, as in `errors`
    """An event happened to a slot in a state in which it must not."""

    def __init__(self, slot: int, state: SlotState, event: SlotEvent) -> None:
        super().__init__(slot, state, event)
        self.slot = slot
        self.state = state
        self.event = event

    def __str__(self) -> str:
        return (
            f"slot {self.slot} is {self.state.name}, where {self.event.name} is not allowed: "
            "two sides believe that the slot is theirs. Look for a slot index that was used twice"
        )


def advance(state: SlotState, event: SlotEvent, slot: int) -> SlotState:
    """Return the state that follows.

    Args:
        state: The slot's state now.
        event: What happens to it.
        slot: Its index, for the error alone.

    Raises:
        IllegalTransition: `event` must not happen in `state`.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(slot, state, event) from None
