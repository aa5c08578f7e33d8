from __future__ import annotations

import numpy as np
import pytest

from pipeline.cage2.facts import spec
from pipeline.play.baselines import BASELINES
from pipeline.policy.forward import Actor
from pipeline.seeding import uniforms
from pipeline.trace.blue import NUM_LIKELIEST, BaselineBlue, PolicyBlue
from tests.pipeline.conftest import weights
from tests.pipeline.trace.conftest import GAME, WORKFLOW_ID

NOTHING = np.zeros(spec.OBSERVATION_SIZE, np.int8)


@pytest.mark.parametrize("greedy", [False, True])
def test_a_policy_tells_its_distribution(greedy: bool) -> None:
    player = PolicyBlue(weights(1, GAME.shape), WORKFLOW_ID, GAME, greedy=greedy)
    player.begin(10, 8, 3, NOTHING)
    decision = player.decide()
    row = np.zeros(GAME.interface.observation_size, np.int8)
    log_probs, _ = Actor(weights(1, GAME.shape), GAME.shape).distribution(row, WORKFLOW_ID)
    by_name = dict(zip(GAME.interface.action_names, np.exp(log_probs.astype(float)).tolist(), strict=True))
    assert decision.probability == pytest.approx(by_name[decision.choice], rel=1e-5)
    assert decision.likeliest == pytest.approx({name: by_name[name] for name in decision.likeliest}, rel=1e-5)
    told = list(decision.likeliest.values())
    assert told == sorted(told, reverse=True)
    others = [p for name, p in by_name.items() if name not in decision.likeliest]
    assert len(told) == min(NUM_LIKELIEST, np.count_nonzero(np.exp(log_probs)))  # masked ones are left out
    assert max(others) <= told[-1]
    assert (next(iter(decision.likeliest)) == decision.choice) or not greedy


def test_a_probability_has_six_digits_of_what_is_computed() -> None:
    player = PolicyBlue(weights(1, GAME.shape), WORKFLOW_ID, GAME)
    player.begin(1, 8, 3, NOTHING)
    probability = player.decide().probability
    assert probability == float(f"{probability:.6g}")


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_has_no_distribution_and_plays_as_ever(name: str) -> None:
    player = BaselineBlue(name)
    player.begin(2, 8, 9, NOTHING)
    first, second = uniforms(9, 2).tolist()
    assert player.decide().action == BASELINES[name](NOTHING, first)
    table = NOTHING.copy()
    table[-1] = 1  # User4's condition
    player.see(table)
    decision = player.decide()
    assert decision.action == BASELINES[name](table, second)
    assert (decision.probability, decision.likeliest) == (None, {})
    assert decision.choice == spec.ACTION_NAMES[decision.action]
    assert player.saw().table == {"User4": ("None", "User")}
    assert player.verdicts is None
