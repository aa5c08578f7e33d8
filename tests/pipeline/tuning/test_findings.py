from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from pipeline.config import Config
from pipeline.experiment.outcome import outcome_of
from pipeline.tuning.findings import Findings, Fresh
from pipeline.tuning.tuner import Trial
from tests.pipeline.tuning.conftest import PLAN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.pipeline.conftest import EndedRun

NONE = float("-inf")
DEFAULTS = {"ppo.learning_rate": 1e-3, "hidden_sizes": (64, 64)}
BETTER = {"ppo.learning_rate": 4e-3, "hidden_sizes": (128, 64)}
TRIALS = (Trial(0, DEFAULTS, (-16.0, -18.0)), Trial(1, BETTER, (-14.0, -15.0)), Trial(2, DEFAULTS, (-20.0,)))


def fresh(chosen: Sequence[float | None], defaults: Sequence[float | None], ended_run: EndedRun, folder: Path) -> Fresh:
    runs = list(PLAN.fresh(BETTER).runs(folder, {}))
    values = {"chosen": iter(chosen), "defaults": iter(defaults)}
    for run in runs:
        given = run.config.model_dump(exclude_unset=True)
        ended_run(given.pop("run_name"), next(values[run.variant]), **given)
    return Fresh.of(runs, {run.run_dir: outcome_of(run.run_dir) for run in runs})


def test_a_winner_is_told_with_the_interval_of_fresh_seeds(ended_run: EndedRun, tmp_path: Path) -> None:
    found = Findings(
        PLAN, TRIALS, fresh([-14, -14.5, -15, -14, -14.2], [-17, -16, -18, -17, -16.5], ended_run, tmp_path)
    )
    assert found.best.number == 1
    assert found.conclusion().startswith(
        "afresh, on 5 seeds from 2, a run with the chosen values is better than one with the defaults with probability "
        "1.00 [1.00, 1.00]; their interquartile mean is higher by 2.6 ["
    )
    assert "no difference" not in found.conclusion()
    assert found.fresh is not None
    assert found.fresh.difference is not None
    assert found.fresh.difference.low > 0
    assert "chosen among 3 trials by these very runs" in found.choice()
    assert "1 below the median" in found.choice()


def test_an_interval_that_holds_nothing_is_no_difference(ended_run: EndedRun, tmp_path: Path) -> None:
    found = Findings(PLAN, TRIALS, fresh([-14, -18, -15, -19, -14], [-17, -14, -18, -13, -16], ended_run, tmp_path))
    assert found.conclusion().endswith("The interval holds 0, so these seeds show no difference")


def test_who_named_no_defender_has_no_part_in_a_mean(ended_run: EndedRun, tmp_path: Path) -> None:
    found = Findings(PLAN, TRIALS, fresh([-14, None, -15, -14, -14], [-17, -16, -18, -17, -16], ended_run, tmp_path))
    assert found.fresh is not None
    assert found.fresh.difference is None
    assert found.conclusion().endswith("some named no defender, so there is no difference of means")


def test_the_table_has_the_defaults_and_the_best(ended_run: EndedRun) -> None:
    sheet = Findings(PLAN, TRIALS).sheet()
    assert sheet.head == ("", "defaults", "trial-001")
    assert sheet.rows == (
        ("median", "-17.0", "-14.5"),
        ("lowest", "-18.0", "-15.0"),
        ("highest", "-16.0", "-14.0"),
        ("ppo.learning_rate", "0.001", "0.004"),
        ("hidden_sizes", "64,64", "128,64"),
    )


def test_the_recipe_is_what_a_run_takes(ended_run: EndedRun, tmp_path: Path) -> None:
    found = Findings(PLAN, TRIALS, fresh([-14] * 5, [-17] * 5, ended_run, tmp_path))
    text = found.recipe()
    assert tomllib.loads(text) == {"recipe": "default", "hidden_sizes": [128, 64], "ppo": {"learning_rate": 0.004}}
    config = Config.model_validate(tomllib.loads(text))
    assert (config.hidden_sizes, config.ppo.learning_rate) == ((128, 64), 0.004)
    assert text.startswith(
        "# Chosen by `run.py tune` among 3 trials of 2 seeds from 0, 64 episodes each, by the median"
    )
    assert "better than one with the defaults" in text.replace("\n# ", " ")


def test_if_nothing_beats_the_defaults_they_are_the_recipe() -> None:
    found = Findings(PLAN, (Trial(0, DEFAULTS, (-14.0, -14.0)), *TRIALS[1:]))
    assert found.best.number == 0
    assert found.conclusion() == "no trial was better than the defaults (-14.0), which are the recipe, then"
    assert tomllib.loads(found.recipe()) == {"recipe": "default"}


def test_if_nothing_was_learned_that_is_said() -> None:
    found = Findings(PLAN, (Trial(0, DEFAULTS, (NONE, NONE)), Trial(1, BETTER, (NONE, -14.0))))
    assert found.best.number == 0
    assert found.conclusion().startswith("no trial has a median")


@pytest.mark.parametrize("has_fresh", [True, False])
def test_as_json(has_fresh: bool, ended_run: EndedRun, tmp_path: Path) -> None:
    trials = (Trial(0, DEFAULTS, (NONE, -18.0)), *TRIALS[1:])
    compared = fresh([-14, -15, -14, -15, -14], [-17] * 5, ended_run, tmp_path) if has_fresh else None
    found = json.loads(json.dumps(Findings(PLAN, trials, compared).as_json(), allow_nan=False))
    assert found["best"] == 1
    assert found["trials"][0] == {
        "number": 0,
        "values": {"ppo.learning_rate": 0.001, "hidden_sizes": [64, 64]},
        "greedy": [None, -18.0],
        "median": None,
        "given_up": False,
    }
    assert found["trials"][2]["given_up"]
    if has_fresh:
        assert found["fresh"]["difference"]["low"] == 2.0
        assert found["fresh"]["comparison"]["variants"][0]["name"] == "chosen"
    else:
        assert found["fresh"] is None
