"""CybORG's `GreenAgent` in Scenario 2: its scans are refused, and of its choices nothing remains but what they drew."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.attackers.meander import Meander
from pipeline.cage2.cyborg.env import load_cyborg
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    import pytest

    from pipeline.cage2.attackers.choice import Choice
    from pipeline.cage2.attackers.knowledge import Knowledge

NUM_GREEN_ACTIONS, NUM_GREEN_HOSTS = 2, 8
"""Sleep and a port scan; the hosts that it would scan."""


class AfterGreen(Meander):
    """Red, before whose choice Green makes its own."""

    def choose(self, knowledge: Knowledge) -> Choice:
        if self._generator.choice(range(NUM_GREEN_ACTIONS)):
            self._generator.choice(range(NUM_GREEN_HOSTS))
        return super().choose(knowledge)


def test_green_draws_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cyborg = load_cyborg("csle")
    from csle_cyborg.agents.simple_agents.green_agent import GreenAgent
    from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper

    kept = random.getstate()
    main = cyborg.main(cyborg.scenario, "sim", agents={"Red": cyborg.agents.RedMeanderAgent, "Green": GreenAgent})
    wrapper = ChallengeWrapper(env=main, agent_name="Blue")
    monkeypatch.setattr("pipeline.cage2.engine.outsiders.load_attacker", lambda _: AfterGreen)
    fast = FastEnv("test:AfterGreen")
    did: Counter[str] = Counter()
    rng = np.random.default_rng(0)
    for seed in range(6):
        random.seed(seed)
        wrapper.reset()
        fast.reset(seed)
        for action in rng.integers(0, spec.NUM_ACTIONS, 60).tolist():
            observation, reward, *_ = wrapper.step(action)
            expected, tenths = fast.step(action)
            assert [int(bit) for bit in observation] == expected.tolist()
            assert round(10 * reward) == tenths
            assert random.getstate() == fast.batch.generator_state(0)
            did[type(main.environment_controller.action["Green"]).__name__] += 1
    random.setstate(kept)
    assert set(did) == {"Sleep", "InvalidAction"}, "it is allowed to sleep, and nothing else"
