from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from native_buffers.slots import TRANSITIONS, IllegalTransition, SlotEvent, SlotState, advance

LEGAL = {
    "FREE": {"LEASE": "LEASED"},
    "LEASED": {"FILL": "FILLED", "LOSE": "LOST"},
    "FILLED": {"CONSUME": "CONSUMED"},
    "CONSUMED": {"FREE": "FREE"},
    "LOST": {"FREE": "FREE"},
}


@pytest.mark.parametrize(("state", "event"), list(product(SlotState, SlotEvent)))
def test_every_pair_of_state_and_event(state: SlotState, event: SlotEvent) -> None:
    if event.name in LEGAL[state.name]:
        assert advance(state, event, 3).name == LEGAL[state.name][event.name]
    else:
        with pytest.raises(IllegalTransition) as raised:
            advance(state, event, 3)
        assert (raised.value.slot, raised.value.state, raised.value.event) == (3, state, event)


def test_fresh_memory_is_free() -> None:
    assert SlotState(0) is SlotState.FREE
    assert max(SlotState) < 256


@given(st.lists(st.sampled_from(SlotEvent)))
def test_any_history_of_events_is_a_chain_of_whole_lives(events: list[SlotEvent]) -> None:
    state, accepted = SlotState.FREE, []
    for event in events:
        if (state, event) in TRANSITIONS:
            state = advance(state, event, 0)
            accepted.append(event)
    lives = "".join(event.name[0] if event is not SlotEvent.FREE else "." for event in accepted).split(".")
    whole = [*lives[:-1]]
    *_, last = lives
    assert set(whole) <= {"LFC", "LL"}  # leased, filled, consumed; or leased, lost
    assert last in {"", "L", "LF", "LFC", "LL"}
    assert (state is SlotState.FREE) == (last == "")


@given(st.sampled_from(SlotState))
def test_every_state_leads_back_to_free(state: SlotState) -> None:
    for _ in SlotState:
        if state is SlotState.FREE:
            break
        event = SlotEvent[next(iter(reversed(LEGAL[state.name])))]
        state = advance(state, event, 0)
    assert state is SlotState.FREE
