from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.experiment.outcome import Rows, episodes_until, outcome_of
from pipeline.persist.runs import RunFolderError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import EndedRun


def rows(*updates: tuple[int, int, float]) -> Rows:
    """Updates of one policy after the other, each `(workflow_id, episodes, env reward)`."""
    columns = np.array(updates, np.float64).reshape(-1, 3).T
    return Rows(columns[0], columns[1], columns[2], np.cumsum(columns[1]))


def test_an_outcome_is_what_the_run_said_at_its_end(ended_run: EndedRun) -> None:
    outcome = outcome_of(ended_run("a", -14.0, [-90, -40], seed=3))
    assert outcome.has_ended
    assert (outcome.greedy, outcome.sampled, outcome.compliance) == (-14.0, -15.0, 0.95)
    assert outcome.config.seed == 3
    assert outcome.rows.env_reward.tolist() == [-90, -40]
    assert outcome.rows.total_episodes.tolist() == [100, 200]


def test_without_a_defender_it_is_worse_than_any(ended_run: EndedRun) -> None:
    outcome = outcome_of(ended_run("a", None))
    assert outcome.has_ended
    assert outcome.defender is None
    assert outcome.greedy == outcome.sampled == outcome.compliance == -math.inf


def test_a_run_that_was_stopped_has_not_ended(ended_run: EndedRun) -> None:
    outcome = outcome_of(ended_run("a", -14.0, reason="stopped"))
    assert not outcome.has_ended
    assert "resume" in outcome.why


def test_where_there_is_no_run_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="not the folder of a run"):
        outcome_of(tmp_path)


def test_a_window_is_of_whole_updates_and_as_many_episodes_or_more() -> None:
    log = rows((0, 40, -100.0), (0, 40, -20.0), (0, 40, -10.0), (0, 40, -10.0))
    assert episodes_until(log, -20.0, 40) == 80
    assert episodes_until(log, -15.0, 80) == 120
    assert episodes_until(log, -10.0, 50) == 160  # two updates
    assert episodes_until(log, -10.0, 120) == math.inf
    assert episodes_until(log, -60.0, 80) == 80
    assert episodes_until(log, -500.0, 161) == math.inf  # never so many
    assert episodes_until(rows(), -500.0, 1) == math.inf


def test_policies_are_looked_at_one_by_one_and_the_first_counts() -> None:
    log = rows((0, 50, -20.0), (1, 50, -20.0), (1, 50, -20.0), (0, 50, -20.0))
    assert episodes_until(log, -20.0, 100) == 150


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(-99, 0)), max_size=20),
    st.integers(-99, 0),
    st.integers(1, 30),
)
def test_it_is_what_looking_at_every_window_gives(
    updates: list[tuple[int, int, int]], threshold: int, window: int
) -> None:
    log = rows(*((each, episodes, float(reward)) for each, episodes, reward in updates))
    first, total = math.inf, 0
    seen: dict[int, list[tuple[int, int]]] = {}
    for workflow_id, episodes, reward in updates:
        total += episodes
        seen.setdefault(workflow_id, []).append((episodes, reward))
        num, points = 0, 0
        for each, its in reversed(seen[workflow_id]):
            if num < window:
                num, points = num + each, points + each * its
        if num >= window and points >= threshold * num:
            first = min(first, total)
    assert episodes_until(log, threshold - 1e-9, window) == first
