from __future__ import annotations

import math
import sys
from statistics import mean

import pytest

from pipeline.config import Config
from pipeline.extras import NotInstalledError
from pipeline.tuning.sampler import NUM_RANDOM, Told, ask, require_sampler
from pipeline.tuning.space import SPACE, values_of

pytest.importorskip("optuna")
ALL = tuple(SPACE)
RATE = ("ppo.learning_rate",)


def worth(values: dict[str, float]) -> float:
    return -abs(math.log10(values["ppo.learning_rate"] / 7e-3))


def search(num_trials: int, seed: int) -> list[Told]:
    told: list[Told] = []
    for number in range(num_trials):
        values = ask(RATE, told, seed, number)
        told.append(Told(values, worth(values), None))
    return told


def test_the_same_question_has_the_same_answer() -> None:
    """It is a function of what came before: nothing is kept in between."""
    told = search(NUM_RANDOM + 2, seed=1)
    first = ask(RATE, told, 1, len(told))
    ask(RATE, told[:3], 1, 3)
    assert ask(RATE, told, 1, len(told)) == first
    assert ask(RATE, told, 2, len(told)) != first
    assert ask(RATE, told, 1, len(told) + 1) != first


def test_values_are_of_the_space() -> None:
    asked = [ask(ALL, [], 0, number) for number in range(20)]
    for values in asked:
        assert all(SPACE[name].holds(SPACE[name].coordinate(value)) for name, value in values.items())
    assert len({values["hidden_sizes"] for values in asked}) > 3
    assert min(values["ppo.learning_rate"] for values in asked) < 1e-3 < max(v["ppo.learning_rate"] for v in asked)


def test_it_learns_from_what_it_is_told() -> None:
    told = search(40, seed=0)
    values = [each.worth for each in told if each.worth is not None]
    assert mean(values[-15:]) > mean(values[:NUM_RANDOM]) + 0.2


def test_trials_under_way_and_given_up_count() -> None:
    told = search(NUM_RANDOM + 5, seed=0)
    best = max(told, key=lambda each: each.worth or -math.inf)
    asked = ask(RATE, told, 0, 100)
    under_way = [*told, *(Told(best.values, None, None) for _ in range(8))]
    given_up = [*told, *(Told(best.values, -1.0, 1) for _ in range(8))]
    assert ask(RATE, under_way, 0, 100) != asked
    assert ask(RATE, given_up, 0, 100) != asked


def test_a_run_without_a_defender_is_no_hindrance() -> None:
    told = [Told(ask(RATE, [], 0, number), -math.inf if number % 2 else -14.0, None) for number in range(12)]
    assert SPACE[RATE[0]].holds(ask(RATE, told, 0, 12)[RATE[0]])


def test_what_is_outside_is_passed_over() -> None:
    outside = Told(values_of(Config(ppo={"learning_rate": 0.5}), RATE), -1.0, None)
    told = search(NUM_RANDOM + 1, seed=0)
    assert ask(RATE, [outside, *told], 0, 20) == ask(RATE, told, 0, 20)


def test_without_the_extra_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)  # as if it were not installed
    with pytest.raises(NotInstalledError, match=r"tune needs optuna: pip install 'cage2-pipeline\[tune\]'"):
        require_sampler()
