from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.attackers.knowledge import Deeds
from pipeline.cage2.engine import red
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.red_side import look
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    import random

    import pytest

    from pipeline.cage2.attackers.choice import Choice
    from pipeline.cage2.attackers.knowledge import Knowledge

SCRIPT: list[Choice] = [
    ("Sleep", None),
    ("PrivilegeEscalate", "Op_Server0"),  # which it can't name
    ("DiscoverRemoteSystems", "User"),
    ("DiscoverNetworkServices", "User3"),
    ("ExploitRemoteService", "User3"),
    ("PrivilegeEscalate", "User3"),
]


class Scripted:
    """Does what stands in `SCRIPT`, then sleeps; keeps what it is told."""

    def __init__(self, _: random.Random) -> None:
        self.told: list[Knowledge] = []

    def choose(self, knowledge: Knowledge) -> Choice:
        self.told.append(knowledge)
        return SCRIPT[knowledge.step - 1] if knowledge.step <= len(SCRIPT) else ("Sleep", None)


def scripted(monkeypatch: pytest.MonkeyPatch) -> tuple[FastEnv, list[Scripted]]:
    made: list[Scripted] = []

    def make(generator: random.Random) -> Scripted:
        made.append(Scripted(generator))
        return made[-1]

    monkeypatch.setattr("pipeline.cage2.engine.outsiders.load_attacker", lambda _: make)
    return FastEnv("test:Scripted"), made


def test_red_is_told_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    env, made = scripted(monkeypatch)
    env.reset(3)
    for _ in range(len(SCRIPT) + 1):
        env.step(spec.SLEEP)
    told = made[0].told
    assert [knowledge.last for knowledge in told] == [("Sleep", None), *SCRIPT]
    assert [knowledge.success for knowledge in told[:5]] == [None, None, False, True, True]
    assert [knowledge.listed for knowledge in told[:5]] == [False, False, False, False, True]
    assert [len(knowledge.addresses) for knowledge in told[:4]] == [1, 1, 1, 5]
    assert told[4].ports == {"User3": {25, 80, 443, 3389}}
    assert told[5].success
    assert told[5].exploited == {"User3"}
    assert "User3" in told[5].names


def test_what_is_refused_is_no_action(monkeypatch: pytest.MonkeyPatch) -> None:
    env, _ = scripted(monkeypatch)
    env.reset(3)
    env.step(spec.SLEEP)
    before = env.batch.generator_state(0)
    env.step(spec.SLEEP)
    assert (env.batch.games["red_action"][0], env.batch.games["red_target"][0]) == (red.SLEEP, red.NO_TARGET)
    assert env.batch.generator_state(0) == before


def test_it_is_made_anew_for_every_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    env, made = scripted(monkeypatch)
    for seed in (1, None, 2):
        env.reset(seed)
        env.step(spec.SLEEP)
        env.step(spec.SLEEP)
    assert [[knowledge.step for knowledge in one.told] for one in made] == [[1, 2]] * 3


def test_red_is_told_addresses_in_the_order_that_the_game_has() -> None:
    env = FastEnv("SleepAgent")
    env.reset(3082)  # User1 has the address that a process of Defender names
    assert look(env.batch.games[0], Deeds()).address_order[:3] == ("User1", "Defender", "Enterprise0")


def test_a_copy_goes_on_by_itself() -> None:
    env = FastEnv("pipeline.cage2.attackers.meander:Meander")
    env.reset(11)
    rng = np.random.default_rng(0)
    actions = rng.integers(0, spec.NUM_ACTIONS, 80).tolist()
    for action in actions[:20]:
        env.step(action)
    twin = copy.deepcopy(env)
    expected = [(env.step(action)[1], env.red_hosts()) for action in actions[20:]]
    assert twin.batch.generator_state(0) != env.batch.generator_state(0)
    assert [(twin.step(action)[1], twin.red_hosts()) for action in actions[20:]] == expected
    assert twin.batch.generator_state(0) == env.batch.generator_state(0)
