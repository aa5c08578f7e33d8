from __future__ import annotations

import random
from typing import Any

import numpy as np

from pipeline.cage2.facts import spec
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.defenders.shown import shown_game
from pipeline.trace.guest import DefenderBlue, EntryBlue
from pipeline.trace.recorder import Recorder
from tests.pipeline.trace.conftest import GAME

NOTHING = np.zeros(spec.OBSERVATION_SIZE, np.int8)


class Restoring:
    """Restores what looks compromised; notes what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begin(self, num_steps: int) -> None:
        self.told.append(num_steps)

    def act(self, observation: Any, view: Any) -> int:
        self.told.append(observation.tolist())
        hosts = np.flatnonzero(observation.reshape(spec.NUM_HOSTS, 4)[:, 2:].any(axis=1))
        return spec.RESTORE + int(hosts[0]) if len(hosts) else int(np.random.randint(2))  # noqa: NPY002

    def end(self) -> None:
        self.told.append("end")


def test_an_agents_own_game_is_the_one_that_is_written_down() -> None:
    agent, steps = Restoring(), list[int]()
    kept = np.random.get_state()  # noqa: NPY002
    player = DefenderBlue(agent, shown_game(GAME, "stock"), steps.append)
    trace = Recorder(GAME, player).play(0, 0, 17, 5)
    np.random.set_state(kept)  # noqa: NPY002
    assert steps == [-1, *range(GAME.num_steps + 1)]
    first, *seen, last = agent.told
    assert (first, last) == (GAME.num_steps, "end")
    game = shown_game(GAME, "stock")  # the moves that are written down give just what the agent was shown
    shown = [game.reset(17).tolist()]
    tenths = 0
    for step in trace.steps:
        assert step.blue.action == step.blue.choice
        observation, reward, _ = game.step(spec.ACTION_NAMES.index(step.blue.action))
        shown.append(observation.tolist())
        tenths += reward
    assert seen == shown[:-1]
    assert trace.total_reward == tenths / 10
    assert trace.compliance is None
    assert {step.blue.probability for step in trace.steps} == {None}


def test_the_contests_own_are_asked_as_ever() -> None:
    player = EntryBlue(CONTEST_BASELINES["BlueReactRestore"]())
    player.begin(3, 1, 2, NOTHING)
    assert [player.decide().action for _ in range(3)] == [spec.MONITOR, spec.RESTORE, spec.RESTORE + 1]
    player.see(NOTHING)
    player.end()
    assert (player.saw().table, player.draws) == ({}, False)
    assert EntryBlue(CONTEST_BASELINES["Random"]()).draws


def test_the_generator_of_python_is_put_back() -> None:
    before = random.getstate()
    Recorder(GAME, EntryBlue(CONTEST_BASELINES["Random"]())).play(0, 0, 17, 5)
    assert random.getstate() == before
