from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.experiment.comparison import compare
from pipeline.experiment.outcome import outcome_of
from pipeline.report.comparison import comparison, seeds

if TYPE_CHECKING:
    from pipeline.report.facts import Facts
    from tests.pipeline.conftest import EndedRun


def test_it_marks_where_configurations_differ_and_nothing_else(facts: Facts) -> None:
    other = replace(facts, run_dir=Path("other"), config=facts.config.model_copy(update={"seed": 9}))
    made = comparison([facts, other])
    assert '<th scope="row">seed</th><td>3</td><td>9</td>' in made
    assert "gp_beta" not in made
    assert "configured alike" in comparison([facts, facts])


def test_every_run_has_its_row_and_its_colour(facts: Facts) -> None:
    made = comparison([facts, replace(facts, run_dir=Path("other"), defender=None)])
    assert '<th scope="row">small</th>' in made
    assert '<th scope="row">other</th><td>none</td>' in made
    assert 'class="key line-0">small' in made
    assert 'class="key line-1">other' in made


def test_an_experiment_is_told_over_its_seeds(ended_run: EndedRun) -> None:
    run_dirs = [ended_run(str(seed), -14.0 - seed, seed=seed) for seed in range(5)]
    made = seeds(compare([outcome_of(each) for each in run_dirs]))
    assert '<th scope="row">all</th><td>5</td><td>-16.0 [-17.7, -14.3]</td>' in made
    few = seeds(compare([outcome_of(each) for each in run_dirs[:2]]))
    assert "<p>fewer than 5 seeds (all: 2)" in few
