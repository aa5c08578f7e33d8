from __future__ import annotations

import dataclasses
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cage2.engine import red
from pipeline.cage2.engine.agents import b_line
from pipeline.cage2.engine.bounds import BOUNDS
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.game_state import LAYOUT, GameState, StateError, read, write
from pipeline.cage2.engine.state import ATTRIBUTE, DECOYS, GAME, SESSIONS, new_games, new_lists
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

PROFILES = ("head", "leaderboard")
RED_AGENTS = ("B_lineAgent", "RedMeanderAgent")
ACTION = st.integers(0, spec.NUM_ACTIONS - 1)


def played(red_agent: str = "RedMeanderAgent", steps: int = 60, profile: Any = "head") -> GameBatch:
    """Four games in which everything has happened that happens."""
    batch = GameBatch(4, red_agent, profile)
    batch.reset([1, 2, 3, 4])
    for actions in np.random.default_rng(0).integers(0, spec.NUM_ACTIONS, (steps, 4)):
        batch.step(actions)
    return batch


def shown(batch: GameBatch) -> list[Any]:
    """What a step gave and where the generators stand."""
    generators = [batch.generator_state(index) for index in range(len(batch))]
    return [batch.observations.tolist(), batch.rewards.tolist(), batch.red_hosts.tolist(), generators]


@given(
    st.sampled_from(RED_AGENTS),
    st.sampled_from(PROFILES),
    st.integers(0, 2**70),
    st.lists(st.tuples(ACTION, ACTION), max_size=60),
    st.lists(st.tuples(ACTION, ACTION), max_size=60),
)
@settings(deadline=None, max_examples=40)
def test_a_game_that_is_set_back_goes_on_in_the_same_way(
    red_agent: str, profile: Any, seed: int, before: list[Any], after: list[Any]
) -> None:
    batch = GameBatch(2, red_agent, profile, room=1)
    batch.reset([seed, seed + 1])
    for actions in before:
        batch.step(actions)
    start, states = shown(batch), batch.states()
    went = []
    for actions in after:
        batch.step(actions)
        went.append(shown(batch))
    end = batch.states()
    elsewhere = GameBatch(2, "SleepAgent", profile)
    elsewhere.reset([5, 6])
    alone = GameBatch(1, red_agent, profile)
    alone.set_state(states[1])
    for other in (batch, elsewhere):
        other.set_states(states)
        assert shown(other) == start
        for actions, then in zip(after, went, strict=True):
            other.step(actions)
            assert shown(other) == then
        assert other.states() == end
    for actions in after:
        alone.step(actions[1])
    assert alone.state() == end[1]


@pytest.mark.parametrize("red_agent", RED_AGENTS)
@pytest.mark.parametrize("profile", PROFILES)
def test_all_that_is_played_is_within_its_bounds(red_agent: str, profile: Any) -> None:
    batch = GameBatch(32, red_agent, profile)
    batch.reset(range(32))
    rng = np.random.default_rng(0)
    for step in range(200):
        batch.set_states(batch.states())
        batch.step(rng.integers(0, spec.NUM_ACTIONS, 32) if step % 3 else 0)


def test_a_state_can_be_sent_compared_and_looked_up() -> None:
    batch = played()
    states = batch.states()
    sent = pickle.loads(pickle.dumps(states))  # noqa: S301 - our own
    assert sent == states
    assert len({*sent, *states}) == 4
    assert "\\x" not in repr(states[0])
    other = GameBatch(4, "B_lineAgent")
    other.set_states(sent)
    assert other.states() == states


def test_states_are_equal_however_long_the_lists_were() -> None:
    one, other = GameBatch(1, "B_lineAgent", room=1), GameBatch(3, "RedMeanderAgent", room=500)
    other.reset([7, 8, 9])
    vsftpd = spec.ACTION_NAMES.index("DecoyVsftpd Op_Server0")
    for _ in range(30):
        other.step(vsftpd)  # what is left in the lists of an old episode is no part of the next one
    one.reset([5])
    other.set_red_agents(["B_lineAgent"], np.array([1]))
    other.reset([5], [1])
    assert one.state() == other.state(1)
    one.step(3)
    assert one.state() != other.state(1)


def test_a_game_has_room_for_what_it_is_set_to() -> None:
    batch = played()
    vsftpd = spec.ACTION_NAMES.index("DecoyVsftpd Op_Server0")
    for _ in range(300):
        batch.step(vsftpd)
    small = GameBatch(2, "RedMeanderAgent", room=3)
    small.reset([1, 2])
    small.set_state(batch.state(2), 1)
    for _ in range(50):
        small.step(vsftpd)
        batch.step(vsftpd)
    assert small.state(1) == batch.state(2)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "not a state of a game but NoneType"),
        (GameState("0" * 16, b"", b""), f"another version .* layout '0000000000000000', here '{LAYOUT}'"),
        (GameState(LAYOUT, b"", b""), f"{GAME.itemsize} bytes, not 0"),
        (GameState(LAYOUT, bytearray(GAME.itemsize), b""), "are bytes"),  # type: ignore[arg-type]
        (GameState(LAYOUT, bytes(GAME.itemsize), b""), "no game has a num_starting_pids of 0"),
        (GameState(LAYOUT, b"\xff" * GAME.itemsize, b""), "no game has a red_agent of -1"),
    ],
)
def test_what_is_no_state_is_refused(state: Any, message: str) -> None:
    batch = played()
    before = batch.states()
    with pytest.raises(StateError, match=message):
        batch.set_states([before[3], state], [0, 1])
    assert batch.states() == before


def tampered(state: GameState, change: Callable[[Any], None]) -> GameState:
    game = np.frombuffer(state.record, dtype=GAME).copy()
    change(game)
    return dataclasses.replace(state, record=game.tobytes())


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_no_number_is_taken_that_no_game_has(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(BOUNDS)))
    low, high = (np.broadcast_to(bound, GAME[name].shape) for bound in BOUNDS[name])
    place = data.draw(st.sampled_from(list(np.ndindex(low.shape))))
    limits = np.iinfo(GAME[name].base)
    below = st.integers(limits.min, int(low[place]) - 1)
    above = st.integers(int(high[place]) + 1, limits.max)
    value = data.draw(st.one_of(below, above))

    def change(game: Any) -> None:
        game[name][(0, *place)] = value

    with pytest.raises(StateError, match=f"no game has a {name} of {value}$"):
        GameBatch(1, "B_lineAgent").set_state(tampered(STATES[0], change))


STATES = played().states()


def change_target(game: Any) -> None:
    game["red_action"], game["red_target"] = red.SWEEP, 12


def lose_user(game: Any) -> None:
    game["script_index"], game["script_user"] = 4, 0


def stop_generator(game: Any) -> None:
    game["words"][0] = [0x7FFFFFFF, *[0] * 623]


def change_order(game: Any) -> None:
    game["address_order"] += 1


def lengthen(game: Any) -> None:
    game["num_suspects"][0, 4] = game["num_steps"][0] + 2


def shorten(game: Any) -> None:
    game["num_sessions"][0, spec.RED_FOOTHOLD_INDEX] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_target, "can't have that target"),
        (lose_user, "B_line has no User host"),
        (stop_generator, "zeros for ever"),
        (change_order, "addresses in another order"),
        (lengthen, "one entry a step"),
        (shorten, "its lists take"),
    ],
)
def test_what_no_game_comes_to_is_refused(change: Callable[[Any], None], message: str) -> None:
    with pytest.raises(StateError, match=message):
        GameBatch(1, "B_lineAgent").set_state(tampered(STATES[0], change))


@pytest.mark.parametrize(
    ("which", "entry"), [(SESSIONS, 2 * ATTRIBUTE), (DECOYS, 8 * ATTRIBUTE), (SESSIONS, 0), (DECOYS, -1)]
)
def test_no_entry_is_taken_that_no_list_has(which: int, entry: int) -> None:
    games, lists = (array.copy() for array in read(STATES))
    game, host = np.argwhere(games["num_decoys" if which == DECOYS else "num_sessions"])[0]
    lists[game, which, host, 0] = entry | (5 if entry > 0 else 0)
    with pytest.raises(StateError, match=r"process id|of a kind that there is not"):
        read(write(games, lists, np.arange(4)))


def test_places_of_the_script_are_told_from_those_that_never_were() -> None:
    games, lists = new_games(1), new_lists(1, 2)
    batch = GameBatch(1, "B_lineAgent")
    batch.reset([1])
    for _ in range(3):
        read([batch.state()])
        batch.step(0)
    assert batch.games["script_user"][0] in b_line.USERS
    with pytest.raises(StateError, match="num_starting_pids"):
        read(write(games, lists, np.arange(1)))
