from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from pipeline.experiment.comparison import compare
from pipeline.experiment.outcome import outcome_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import EndedRun

GOOD = (-14.0, -14.5, -13.8, -16.2, -14.0)
BAD = (-16.9, -16.2, -14.0, -18.3, -16.5)


def runs_of(ended_run: EndedRun, name: str, returns: tuple[float | None, ...], **values: object) -> list[Path]:
    return [
        ended_run(f"{name}-{seed}", worth, [-90, -60, -40], seed=seed, **values) for seed, worth in enumerate(returns)
    ]


def test_runs_that_differ_in_their_seeds_alone_are_one_variant(ended_run: EndedRun) -> None:
    run_dirs = [
        *runs_of(ended_run, "a", GOOD, gp_beta=1, workers=1),
        *runs_of(ended_run, "b", BAD, gp_beta=3, workers=2),
    ]
    # in any order, and whatever they were computed with
    comparison = compare([outcome_of(run_dir) for run_dir in reversed(run_dirs)])
    assert [(each.name, each.seeds) for each in comparison.variants] == [
        ("gp_beta=3.0", (0, 1, 2, 3, 4)),
        ("gp_beta=1.0", (0, 1, 2, 3, 4)),
    ]
    assert comparison.best == "gp_beta=1.0"
    bad, good = comparison.variants
    assert good.greedy.interquartile_mean is not None
    assert good.greedy.interquartile_mean.estimate == pytest.approx((-14.0 - 14.5 - 14.0) / 3)
    assert (bad.greedy.lowest, bad.greedy.median, bad.greedy.highest) == (-18.3, -16.5, -14.0)
    assert good.typical.endswith("a-0")  # of the two at -14 the first
    both = {(each.variant, each.over): each.probability.estimate for each in comparison.improvements}
    won = sum((one > other) + 0.5 * (one == other) for one in GOOD for other in BAD)
    assert both["gp_beta=1.0", "gp_beta=3.0"] == pytest.approx(won / 25)
    assert sum(both.values()) == pytest.approx(1)


def test_thresholds_count_those_that_never_came_there(ended_run: EndedRun) -> None:
    run_dirs = [
        ended_run(str(seed), -20.0, rewards, seed=seed) for seed, rewards in enumerate([[-90, -40], [-90, -80]])
    ]
    (variant,) = compare([outcome_of(each) for each in run_dirs], thresholds=[-50, -100], window=100).variants
    there, first = variant.thresholds
    assert (there.num_never, there.episodes.lowest, there.episodes.highest) == (1, 200, math.inf)
    assert (first.num_never, first.episodes.highest) == (0, 100)
    assert there.num_above == 2


def test_fewer_than_five_seeds_have_no_intervals_and_no_best(ended_run: EndedRun) -> None:
    run_dirs = [*runs_of(ended_run, "a", GOOD[:4], gp_beta=1), *runs_of(ended_run, "b", BAD, gp_beta=3)]
    comparison = compare([outcome_of(each) for each in run_dirs])
    few, enough = comparison.variants
    assert few.greedy.interquartile_mean is few.greedy.median_interval is None
    assert all(each.share_above is None for each in few.thresholds)
    assert enough.greedy.interquartile_mean is not None
    assert comparison.best is None
    assert comparison.improvements == ()


def test_what_has_not_ended_or_is_there_twice_does_not_count(ended_run: EndedRun) -> None:
    run_dirs = [
        ended_run("one", -14.0, seed=0),
        ended_run("again", -14.0, seed=0),
        ended_run("stopped", -90.0, seed=1, reason="stopped"),
        ended_run("none", None, seed=2),
    ]
    comparison = compare([outcome_of(each) for each in run_dirs])
    (variant,) = comparison.variants
    assert variant.name == "all"
    assert variant.seeds == (0, 2)
    assert variant.num_without_defender == 1
    assert variant.greedy.lowest == -math.inf
    assert comparison.left_out[0] == ("again", "the same run as one")
    assert comparison.left_out[1][0] == "stopped"


def test_an_experiment_has_names_for_its_variants(ended_run: EndedRun) -> None:
    one, other = ended_run("one", -14.0, gp_beta=1), ended_run("other", -14.0, gp_beta=3)
    comparison = compare([outcome_of(one), outcome_of(other)], {one: "small"})
    assert [each.name for each in comparison.variants] == ["small", "gp_beta=3.0"]
