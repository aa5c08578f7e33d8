from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from pipeline.experiment import told
from pipeline.experiment.comparison import compare
from pipeline.experiment.outcome import outcome_of

if TYPE_CHECKING:
    from pipeline.experiment.comparison import Comparison
    from tests.pipeline.conftest import EndedRun

GOOD = (-14.0, -14.5, -13.8, -16.2, -14.1)


def compared(ended_run: EndedRun, num_seeds: int, worse_by: float) -> Comparison:
    outcomes = [
        outcome_of(
            ended_run(f"{beta}-{seed}", GOOD[seed] - worse_by * (beta == 3), [-90, -40], seed=seed, gp_beta=beta)
        )
        for beta in (1, 3)
        for seed in range(num_seeds)
    ]
    return compare(outcomes, thresholds=[-50, -15], window=100)


def text(comparison: Comparison) -> str:
    sheets = list(told.sheets(comparison))
    assert all(len(row) == len(sheet.head) for sheet in sheets for row in sheet.rows)
    cells = [cell for sheet in sheets for cell in (sheet.title, *sheet.head, *itertools.chain(*sheet.rows))]
    return "\n".join([*cells, *told.notes(comparison)])


def test_every_figure_has_its_interval(ended_run: EndedRun) -> None:
    shown = text(compared(ended_run, 5, worse_by=1.0))
    assert "-14.2 [-15.6, -13.9]" in shown  # the interquartile mean
    assert "0.80 [0.40, 1.00]" in shown  # of five defenders, above -15
    assert "200 [200, 200]" in shown  # episodes
    assert "never" in shown
    assert "gp_beta=1.0 has the highest interquartile mean of these runs" in shown
    assert "fewer than" not in shown


def test_few_seeds_are_told_as_what_they_are(ended_run: EndedRun) -> None:
    shown = text(compared(ended_run, 3, worse_by=1.0))
    assert "fewer than 5 seeds (gp_beta=1.0: 3, gp_beta=3.0: 3)" in shown
    assert "[" not in shown
    assert "Probability that a run" not in shown
    assert "highest interquartile mean of these" not in shown
    assert "-14.5 to -13.8" in shown
    assert "3 of 3" in shown


def test_no_overlap_is_not_sold_as_certainty(ended_run: EndedRun) -> None:
    assert "That is not certainty" in text(compared(ended_run, 5, worse_by=50.0))


def test_what_is_left_out_and_who_names_nobody_is_said(ended_run: EndedRun) -> None:
    outcomes = [outcome_of(ended_run("a", None)), outcome_of(ended_run("b", -14.0, reason="stopped", seed=1))]
    shown = text(compare(outcomes))
    assert "all: 1 run of 1 named no defender, which counts as worse than any" in shown
    assert "left out: b: it was stopped" in shown


def test_json_has_no_infinity(ended_run: EndedRun) -> None:
    comparison = compare([outcome_of(ended_run("a", None, [-90]))])
    said = json.loads(json.dumps(told.as_json(comparison), allow_nan=False))
    assert said["variants"][0]["greedy"]["median"] is None
    assert said["variants"][0]["seeds"] == [0]
    assert said["least_seeds"] == 5
