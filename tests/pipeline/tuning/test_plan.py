from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Config
from pipeline.experiment.errors import ExperimentError
from pipeline.tuning.plan import CHOSEN, DEFAULTS, TuningPlan
from tests.pipeline.tuning.conftest import PLAN


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_trials": 1}, "1 trials: must be from 2 to 1000"),
        ({"num_seeds": 0}, "0 seeds: must be from 1 to 100"),
        ({"num_fresh_seeds": 4}, "4 fresh seeds: must be from 5 to 100"),
        ({"num_together": True}, "True trials together: must be"),
        ({"search": ("gp_beta",)}, "gp_beta can't be searched: choose of ppo.learning_rate, "),
        ({"search": ()}, "one or more names"),
        ({"search": ("hidden_sizes", "ppo.gamma")}, "in their order"),
        ({"search": ("ppo.gae_lambda",), "base": {"recipe": "prototype"}}, "this recipe has no use for it"),
    ],
)
def test_mistakes(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ExperimentError, match=told):
        replace(PLAN, **changes)


def test_a_run_has_the_base_the_trials_values_and_a_seed_of_the_search() -> None:
    plan = replace(PLAN, base={"total_episodes": 64, "seed": 7, "ppo": {"vf_coef": 1.0}})
    run = plan.run(12, {"ppo.learning_rate": 0.002}, 1, Path("logs/x"), {"workers": 1})
    assert run.run_dir == Path("logs/x/trial-012-seed8")
    assert run.config == Config(
        total_episodes=64,
        seed=8,
        ppo={"vf_coef": 1.0, "learning_rate": 0.002},
        workers=1,
        log_dir="logs/x",
        run_name="trial-012-seed8",
    )
    assert plan.run(0, {}, 0, Path(), {}).config.ppo == Config(ppo={"vf_coef": 1.0}).ppo


def test_there_are_so_many_runs_at_most() -> None:
    names = [run.run_dir.name for run in PLAN.runs(Path(), {})]
    assert len(set(names)) == 14
    assert names[:3] == ["trial-000-seed0", "trial-000-seed1", "trial-001-seed0"]


def test_the_winner_is_compared_with_the_defaults_on_seeds_that_no_trial_had() -> None:
    plan = TuningPlan({"total_episodes": 64, "seed": 7}, ("hidden_sizes",), 4, 3, 6, 2)
    fresh = plan.fresh({"hidden_sizes": (32, 32)})
    assert fresh.variants == {
        CHOSEN: {"total_episodes": 64, "seed": 10, "hidden_sizes": [32, 32]},
        DEFAULTS: {"total_episodes": 64, "seed": 10},
    }
    assert fresh.num_seeds == 6
    assert {run.config.seed for run in fresh.runs(Path(), {})} == set(range(10, 16))
