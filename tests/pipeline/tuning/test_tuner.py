from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from pipeline.experiment.runner import VariantStopped
from pipeline.tuning.tuner import Trial, below_the_median, best_of
from tests.pipeline.tuning.conftest import PLAN, Untrained, worth

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.experiment.plan import PlannedRun
    from tests.pipeline.conftest import EndedRun

NONE = float("-inf")


def trials(*greedy: tuple[float, ...]) -> list[Trial]:
    return [Trial(number, {}, values) for number, values in enumerate(greedy)]


def test_below_the_median_there_are_no_more_seeds() -> None:
    tried = trials((-3.0, -9.0), (-4.0,), (-5.0, -1.0), (-6.0,), (NONE,))
    assert below_the_median(tried, 1) == [3, 4]
    assert below_the_median(tried, 2) == []  # two have come so far
    assert below_the_median(tried[:4], 1) == []
    assert below_the_median(trials(*[(NONE,)] * 6), 1) == []


def test_the_best_had_all_seeds_and_the_first_of_equals_wins() -> None:
    tried = trials((-5.0, -5.0), (-1.0,), (-2.0, -4.0), (-3.0, -3.0))
    assert [trial.number for trial in best_of(tried, 2)] == [2, 3, 0]


def test_the_worth_is_the_median_and_no_mean_hides_a_miss() -> None:
    assert Trial(0, {}, (-3.0, NONE, -5.0)).worth == -5.0
    assert Trial(0, {}, (-3.0, NONE)).worth == NONE


def test_the_defaults_come_first_and_trials_get_better_or_are_given_up(untrained: Untrained) -> None:
    asyncio.run(untrained.tuner.run(num_jobs=2))
    found = untrained.tuner.trials
    assert [trial.number for trial in found] == list(range(7))
    assert found[0].values == {"ppo.learning_rate": 1e-3, "hidden_sizes": (64, 64)}
    assert found[0].greedy == (worth(PLAN.config), worth(PLAN.config.model_copy(update={"seed": 1})))
    given_up = [each.variant for each in untrained.events if isinstance(each, VariantStopped)]
    assert given_up == [f"trial-{trial.number:03d}" for trial in found if len(trial.greedy) == 1]
    assert given_up
    assert untrained.begun.count("trial-000-seed0") == 1
    assert len(untrained.begun) == sum(len(trial.greedy) for trial in found)


def test_stopped_again_and_again_and_with_other_jobs_the_trials_are_the_same(
    untrained: Untrained, ended_run: EndedRun, tmp_path: Path
) -> None:
    asyncio.run(untrained.tuner.run(num_jobs=1))
    folder, begun = tmp_path / "again", []
    for stop_before in count(1):
        again = Untrained(ended_run, folder)

        def stop(again: Untrained = again, last: int = 2 * stop_before) -> None:
            if len(again.begun) >= last:
                again.tuner.stop()

        again.before = stop
        asyncio.run(again.tuner.run(num_jobs=3))
        begun += again.begun
        if not again.tuner.is_stopped:
            break
        assert len(again.tuner.trials) < 7
    assert stop_before > 2
    assert again.tuner.trials == untrained.tuner.trials
    assert sorted(begun) == sorted(untrained.begun)


def test_another_sampler_can_not_change_what_was_begun(untrained: Untrained, ended_run: EndedRun) -> None:
    values = {"total_episodes": 64, "ppo": {"learning_rate": 0.0031}, "hidden_sizes": (256, 256)}
    ended_run("trial-001-seed0", -15.0, log_dir=untrained.folder, **values)
    asyncio.run(untrained.tuner.run(num_jobs=2))
    trial = untrained.tuner.trials[1]
    assert trial.values == {"ppo.learning_rate": 0.0031, "hidden_sizes": (256, 256)}
    assert trial.greedy[0] == -15.0


def test_nothing_is_decided_while_a_run_has_failed(untrained: Untrained) -> None:
    def fails(run: PlannedRun) -> bool:
        return run.run_dir.name == "trial-004-seed0"

    untrained.fails = fails
    asyncio.run(untrained.tuner.run(num_jobs=2))
    assert [each.run.run_dir.name for each in untrained.tuner.failures] == ["trial-004-seed0"]
    assert len(untrained.tuner.trials) == 3
    assert not any(name.startswith("trial-006") for name in untrained.begun)


@pytest.mark.parametrize("num_together", [1, 7])
def test_how_many_are_asked_for_together_is_part_of_what_was_asked(
    num_together: int, ended_run: EndedRun, tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    plan = replace(PLAN, num_together=num_together, num_seeds=1)
    search = Untrained(ended_run, tmp_path / "search", plan)
    asyncio.run(search.tuner.run(num_jobs=7))
    assert [len(trial.greedy) for trial in search.tuner.trials] == [1] * 7
