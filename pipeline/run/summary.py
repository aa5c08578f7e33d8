"""What is told of a run at its end: the event, and `summary.json`, which holds that and more."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pipeline.cage2.facts.order_names import order_name
from pipeline.types import RunFinished

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.observe.statistics import PipelineStatistics
    from pipeline.types import RunEnd, Score
    from pipeline.workflows.report import SearchReport

SUMMARY: Final = "summary.json"
"""In the run's folder."""


def run_finished(
    reason: RunEnd,
    config: Config,
    statistics: PipelineStatistics,
    report: SearchReport | None,
    best: tuple[int, Score] | None,
    *,
    digest: str,
    episodes_before: int,
) -> RunFinished:
    """Return the event that ends a run.

    Args:
        reason: Why it ended.
        config: The run's.
        statistics: Of its end.
        report: What may be concluded from its search; None if nothing was observed.
        best: The workflow whose policy it names, with its score; None if there is none.
        digest: Of what it has learned.
        episodes_before: What it had learned from when this process took it up.
    """
    return RunFinished(
        digest=digest,
        profile=config.profile,
        reason=reason,
        episodes=statistics.total_episodes,
        updates=statistics.total_updates,
        wall_s=statistics.wall_s,
        episodes_per_s=(statistics.total_episodes - episodes_before) / statistics.wall_s,
        best_workflow=order_name(best[0]) if best else None,
        best_score=best[1] if best else None,
        **found_fields(report),
    )


def found_fields(report: SearchReport | None) -> dict[str, Any]:
    """Return the fields of `RunFinished` that say what a search has found.

    Args:
        report: What may be concluded from it; None if nothing was observed.
    """
    compared = report if report and report.num_observed > 1 else None  # one order alone is tied with nobody
    return {
        "num_observed": report.num_observed if report else 0,
        "too_few_observed": report is None or report.too_little,
        "posterior_best": order_name(report.best) if report else None,
        "posterior_mean": report.mean if report else None,
        "posterior_std": report.std if report else None,
        "tied_with_best": compared.tied if compared else (),
        "pairs": compared.pairs if compared else (),
        "settling": compared.settling if compared else None,
    }


def summary(finished: RunFinished, config: Config, statistics: PipelineStatistics) -> dict[str, Any]:
    """Return what `summary.json` holds.

    Args:
        finished: From `run_finished`.
        config: The run's.
        statistics: Of its end.
    """
    return {
        **asdict(finished),
        "first_episode_s": statistics.first_episode_s,
        "seconds": dict(statistics.seconds),
        "workers_busy_s": statistics.collection.busy_s,
        "episodes_evaluated": statistics.num_evaluated,
        "episodes_discarded": statistics.collection.num_discarded,
        "episodes_replayed": statistics.collection.num_lost,
        "configuration": config.model_dump(mode="json"),
    }
