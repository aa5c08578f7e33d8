from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.export.defender import Defender

if TYPE_CHECKING:
    from collections.abc import Sequence

CLEAN = [0] * OBSERVATION_SIZE
SCAN = [1, 0] * (OBSERVATION_SIZE // 2)


class Noted:
    """A memory that notes what it is told; the choices are the ids 140 to 142."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begin(self, num_steps: int, table: Sequence[int]) -> list[int]:
        self.told.append(("begin", num_steps, sum(table)))
        return [num_steps]

    def see(self, table: Sequence[int]) -> list[int]:
        self.told.append(("see", sum(table)))
        return [0]

    def act(self, choice: int) -> int:
        self.told.append(("act", choice))
        return 140 + choice


def defender(
    probabilities: Sequence[float] = (0.2, 0.4, 0.4),
    trained_steps: int = 100,
    num_steps: int | None = None,
    **rest: Any,
) -> tuple[Defender, list[Any]]:
    memory = Noted()
    return Defender(lambda _: probabilities, memory, trained_steps, num_steps, **rest), memory.told


def test_an_episode_step_by_step() -> None:
    agent, told = defender()
    agent.begin(30)
    assert [agent.act(CLEAN), agent.act(SCAN, view=None)] == [141, 141]  # of equally likely ones the first
    assert told == [("begin", 30, 0), ("act", 1), ("see", 26), ("act", 1)]


def test_cyborgs_form_takes_an_episode_to_be_as_long_as_the_last() -> None:
    agent, told = defender()
    for num_steps in (3, 2, 2):
        for _ in range(num_steps):
            assert agent.get_action(np.array(CLEAN), 145) == 141
        agent.end_episode()
    assert [each[1] for each in told if each[0] == "begin"] == [100, 3, 2]


def test_who_knows_better_says_how_long_an_episode_is() -> None:
    agent, told = defender(num_steps=50)
    for _ in range(2):
        agent.get_action(CLEAN)
        agent.end_episode()
    assert [each[1] for each in told if each[0] == "begin"] == [50, 50]


def test_an_episode_without_a_step_is_none_to_go_by() -> None:
    agent, told = defender()
    agent.end_episode()
    agent.get_action(CLEAN)
    assert told[0] == ("begin", 1, 0)


def test_what_cyborg_may_call_besides_changes_nothing() -> None:
    agent, told = defender()
    agent.set_initial_values(145, CLEAN)
    agent.train(None)
    assert not told


def test_probabilities_are_by_action_and_are_not_remembered() -> None:
    agent, told = defender()
    agent.begin(30)
    agent.act(CLEAN)
    before = list(told)
    by_action = agent.probabilities(SCAN)
    assert told == before
    assert len(by_action) == NUM_ACTIONS
    assert {action: share for action, share in enumerate(by_action) if share} == {140: 0.2, 141: 0.4, 142: 0.4}


def test_drawn_actions_are_those_of_the_seed() -> None:
    def played(seed: int) -> list[int]:
        agent, _ = defender(greedy=False, seed=seed)
        return [agent.act(CLEAN) for _ in range(2000)]

    drawn = played(1)
    assert drawn == played(1) != played(2)
    shares = [drawn.count(action) / len(drawn) for action in (140, 141, 142)]
    assert shares == pytest.approx([0.2, 0.4, 0.4], abs=0.04)


@pytest.mark.parametrize("observation", [CLEAN[1:], [2, *CLEAN[1:]], [0.5, *CLEAN[1:]], (np.array(CLEAN), {}), 7, None])
def test_what_is_no_observation_is_refused(observation: Any) -> None:
    agent, told = defender()
    with pytest.raises(ValueError, match=r"^an observation is the 52 values in \(0, 1\) that ChallengeWrapper gives$"):
        agent.act(observation)
    assert not told


def test_an_episode_has_steps() -> None:
    with pytest.raises(ValueError, match="an episode of 0 steps can't be played"):
        defender()[0].begin(0)
