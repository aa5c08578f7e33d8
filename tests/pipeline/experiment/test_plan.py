from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.experiment.errors import ExperimentError
from pipeline.experiment.plan import MAX_RUNS, MAX_SEEDS, Plan

TWO = {"fast": Config(ppo={"learning_rate": 1e-3}, seed=7), "slow": Config(ppo={"learning_rate": 3e-4}, seed=7)}


def test_runs_are_seed_by_seed_each_in_a_folder_of_its_own() -> None:
    runs = list(Plan.of(TWO, 2, stop_hopeless=False).runs(Path("logs/rates"), {"workers": 1}))
    assert [(run.variant, run.config.seed) for run in runs] == [("fast", 7), ("slow", 7), ("fast", 8), ("slow", 8)]
    assert [run.run_dir for run in runs][-1] == Path("logs/rates/slow-seed8")
    assert all(run.config.workers == 1 for run in runs)
    assert [run.config.ppo.learning_rate for run in runs] == [1e-3, 3e-4] * 2


def test_how_fast_it_goes_and_where_it_lies_is_no_part_of_a_plan() -> None:
    plain = Plan.of({"one": Config(seed=1)}, 5, stop_hopeless=False)
    assert plain == Plan.of({"one": Config(seed=1, workers=3, log_dir="x", run_name="y")}, 5, stop_hopeless=False)
    assert plain != Plan.of({"one": Config(seed=1, gp_beta=3)}, 5, stop_hopeless=False)


@pytest.mark.parametrize(
    ("variants", "num_seeds", "told"),
    [
        ({"a": {}, "b": {}}, 5, "variants a and b are the same run"),
        (
            {"a": {"total_episodes": 9}, "b": {"total_episodes": 9, "debug": True}},
            5,
            "variants a and b are the same run",
        ),
        ({"a/b": {}}, 5, "variant 'a/b': folders are called by it"),
        ({"": {}}, 5, "folders are called by it"),
        ({"a": {}}, 0, "0 seeds: must be from 1"),
        ({"a": {}}, MAX_SEEDS + 1, "must be from 1"),
        ({str(i): {"total_episodes": i + 1} for i in range(11)}, MAX_RUNS // 10, "11000 runs: must be 10000 at most"),
    ],
)
def test_a_plan_that_teaches_nothing_is_refused(variants: dict[str, dict[str, int]], num_seeds: int, told: str) -> None:
    with pytest.raises(ExperimentError, match=told):
        Plan(variants, num_seeds)
