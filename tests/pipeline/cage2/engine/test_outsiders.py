from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.attackers.errors import AttackerError
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.game_state import StateError
from pipeline.cage2.engine.outsiders import UnsavedAttackerError, check_moves
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = {
    "B_lineAgent": "pipeline.cage2.attackers.b_line:BLine",
    "RedMeanderAgent": "pipeline.cage2.attackers.meander:Meander",
}
FAILING = """
class Mine:
    def __init__(self, generator): ...
    def choose(self, knowledge):
        assert knowledge.step < 3, "the end"
        return "Sleep", None
"""


def play(batch: GameBatch, num_steps: int) -> Iterator[tuple[list[int], list[int]]]:
    rng = np.random.default_rng(7)
    for _ in range(num_steps):
        batch.step(rng.integers(0, spec.NUM_ACTIONS, len(batch)))
        yield batch.rewards.tolist(), batch.red_hosts.tolist()


def test_games_of_a_batch_may_have_different_attackers() -> None:
    names = ["B_lineAgent", "RedMeanderAgent", "B_lineAgent", "RedMeanderAgent"]
    own, compiled = GameBatch(4, "SleepAgent", room=3), GameBatch(4, "SleepAgent", room=3)
    compiled.set_red_agents(names, np.arange(4))
    own.set_red_agents([OWN[names[0]], names[1], names[2], OWN[names[3]]], np.arange(4))
    for batch in (own, compiled):
        batch.reset([5, 6, 7, 2**64 + 8])
    assert list(play(own, 120)) == list(play(compiled, 120))
    assert [own.generator_state(i) for i in range(4)] == [compiled.generator_state(i) for i in range(4)]


@pytest.mark.parametrize("red_agent", ["B_lineAgent", OWN["B_lineAgent"]])
def test_who_attacks_changes_with_the_next_reset(red_agent: str) -> None:
    batch, expected = GameBatch(2, red_agent), GameBatch(2, "B_lineAgent")
    for one in (batch, expected):
        one.reset([1, 2])
    batch.set_red_agents(["RedMeanderAgent"], np.array([1]))
    assert list(play(batch, 30)) == list(play(expected, 30))
    expected.set_red_agents(["RedMeanderAgent"], np.array([1]))
    for one in (batch, expected):
        one.reset([3, 4])
    assert list(play(batch, 30)) == list(play(expected, 30))


def test_who_attacks_is_known_before_the_first_reset() -> None:
    assert GameBatch(2, "SleepAgent").red_agents(np.array([0, 1])) == ["SleepAgent"] * 2


def test_who_attacks_in_a_state_attacks_after_the_next_reset_too() -> None:
    batch, expected = GameBatch(1, "RedMeanderAgent"), GameBatch(1, "B_lineAgent")
    expected.reset([1])
    batch.set_state(expected.state())
    for one in (batch, expected):
        one.reset([2])
    assert list(play(batch, 30)) == list(play(expected, 30))


def test_games_against_them_are_not_saved() -> None:
    batch = GameBatch(2, "B_lineAgent")
    batch.set_red_agents([OWN["B_lineAgent"]], np.array([1]))
    batch.reset([0, 1])
    kept = batch.state(0)
    with pytest.raises(UnsavedAttackerError, match=r"games against pipeline\.cage2\.attackers\.b_line:BLine have no"):
        batch.states()
    with pytest.raises(UnsavedAttackerError):
        batch.branch(2, index=1)
    batch.set_state(kept, 1)  # with its own attacker
    assert batch.state(1) == kept
    with pytest.raises(StateError, match="here it is RedMeanderAgent"):
        batch.set_states([kept], [0], ["RedMeanderAgent", OWN["B_lineAgent"]])


def test_after_a_failure_all_games_have_to_be_reset(tmp_path: Path) -> None:
    path = tmp_path / "red.py"
    path.write_text(FAILING)
    batch = GameBatch(2, "B_lineAgent")
    batch.set_red_agents([f"{path}:Mine"], np.array([1]))
    batch.reset([8, 9])
    for _ in range(2):
        batch.step(0)
    with pytest.raises(AttackerError, match=r"AssertionError: the end\nraised by .* step 3 of .* environment seed 9$"):
        batch.step(0)
    with pytest.raises(RuntimeError, match="reset it first"):
        batch.step(0)
    batch.reset([8, 9])
    batch.step(0)


def test_games_that_rest_ask_nobody(tmp_path: Path) -> None:
    path = tmp_path / "red.py"
    path.write_text(FAILING)
    batch = GameBatch(2, f"{path}:Mine")
    batch.reset([8, 9])
    for _ in range(5):
        batch.step(0, resting=np.ones(2, dtype=np.bool_))


def test_a_batch_checks_blues_actions_first(tmp_path: Path) -> None:
    path = tmp_path / "red.py"
    path.write_text(FAILING)
    batch = GameBatch(1, f"{path}:Mine")
    batch.reset([8])
    for _ in range(4):
        with pytest.raises(ValueError, match="action 145"):
            batch.step(145)
    batch.step(0)


def test_other_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="Red agent 'Pink'"):
        GameBatch(1, "Pink")


def test_only_reds_actions_pass() -> None:
    check_moves(np.array([[0, -1], [1, 2], [5, spec.OP_SERVER_INDEX]]))
    for move in ([6, 0], [-1, 0], [0, 0], [1, 3], [5, 0]):
        with pytest.raises(ValueError, match="not one of Red's"):
            check_moves(np.array([move]))
