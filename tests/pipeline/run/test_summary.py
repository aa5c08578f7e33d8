from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from native_buffers.ring import RingStatistics
from pipeline import Config
from pipeline.cage2.facts.order_names import order_name
from pipeline.collect.collection import CollectionStatistics
from pipeline.observe.statistics import PipelineStatistics
from pipeline.run.summary import run_finished, summary
from pipeline.types import Estimate, Score, WorkflowResult
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from pipeline.workflows.report import SearchReport

CONFIG = Config(profile="leaderboard")
STATISTICS = PipelineStatistics(
    total_episodes=500,
    total_updates=10,
    finals_episodes=0,
    promising=(),
    num_evaluated=70,
    workers_alive=2,
    num_rebuilds=1,
    ring=RingStatistics(16, 5, 6, 3, 1, 1, 7000, 112_000),
    collection=CollectionStatistics(
        num_collected=400, num_discarded=30, num_lost=3, num_in_flight=2, num_waiting=1, busy_s=7.5
    ),
    dropped_events=0,
    first_episode_s=0.5,
    wall_s=8.0,
    seconds={"collection": 5.0, "learner": 1.0, "search": 0.5, "evaluation": 1.0, "idle": 0.5},
)


SCORE = Score(1000, Estimate(-12.5, 0.25), 0.97)


def report(num_observed: int) -> SearchReport | None:
    search = Search(seed=0, beta=2.0, max_episodes_per_workflow=1000)
    for workflow_id in range(num_observed):
        score = Score(200, Estimate(-20.0 - workflow_id, 0.5), 0.97)
        search.finish(WorkflowResult(workflow_id, score, 64, reached_threshold=True, reason="threshold"))
    return search.report()


def test_what_is_counted() -> None:
    finished = run_finished("stopped", CONFIG, STATISTICS, None, None, digest="abc", episodes_before=100)
    assert (finished.reason, finished.digest, finished.profile) == ("stopped", "abc", "leaderboard")
    assert (finished.episodes, finished.updates, finished.wall_s) == (500, 10, 8.0)
    assert finished.episodes_per_s == 50.0  # of this process


def test_nothing_observed_is_nothing_found() -> None:
    finished = run_finished("budget", CONFIG, STATISTICS, None, None, digest="abc", episodes_before=0)
    assert (finished.num_observed, finished.too_few_observed) == (0, True)
    assert finished.best_workflow is finished.best_score is finished.posterior_best is None
    assert (finished.tied_with_best, finished.pairs, finished.settling) == ((), (), None)


def test_one_order_alone_is_compared_with_nobody() -> None:
    """All 120 would be tied with it, by the models' priors."""
    finished = run_finished("budget", CONFIG, STATISTICS, report(1), (0, SCORE), digest="abc", episodes_before=0)
    assert (finished.num_observed, finished.posterior_best) == (1, order_name(0))
    assert (finished.tied_with_best, finished.pairs, finished.settling) == ((), (), None)


@pytest.mark.parametrize(("num_observed", "too_few"), [(4, True), (5, False)])
def test_what_was_found_is_the_searches(num_observed: int, too_few: bool) -> None:
    found = report(num_observed)
    assert found is not None
    finished = run_finished("budget", CONFIG, STATISTICS, found, (7, SCORE), digest="abc", episodes_before=0)
    assert (finished.num_observed, finished.too_few_observed) == (num_observed, too_few)
    assert (finished.best_workflow, finished.best_score) == (order_name(7), SCORE)
    assert finished.posterior_best == order_name(found.best) == order_name(0)
    assert (finished.posterior_mean, finished.posterior_std) == (found.mean, found.std)
    assert (finished.tied_with_best, finished.pairs, finished.settling) == (found.tied, found.pairs, found.settling)


def test_the_summary_is_the_event_and_what_it_took() -> None:
    finished = run_finished("budget", CONFIG, STATISTICS, report(5), (7, SCORE), digest="abc", episodes_before=0)
    written = json.loads(json.dumps(summary(finished, CONFIG, STATISTICS)))
    assert [name for name in written if hasattr(finished, name)] == list(finished.__dataclass_fields__)
    assert (written["digest"], written["best_score"]["env_reward"]["mean"]) == ("abc", -12.5)
    assert written["tied_with_best"][0]["workflow_order"] == finished.tied_with_best[0].workflow_order
    took = {name: value for name, value in written.items() if not hasattr(finished, name)}
    assert Config.model_validate(took.pop("configuration")) == CONFIG
    assert took == {
        "first_episode_s": 0.5,
        "seconds": STATISTICS.seconds,
        "workers_busy_s": 7.5,
        "episodes_evaluated": 70,
        "episodes_discarded": 30,
        "episodes_replayed": 3,
    }
