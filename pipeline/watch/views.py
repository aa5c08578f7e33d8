"""What the page is told: rows of the list of runs, a run as it is, its visits, its map of orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, order_name
from pipeline.cage2.facts.spec import HOST_TYPES
from pipeline.policy.params import policy_name
from pipeline.values import effect_of, topic_of

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.reading.curves import Visit
    from pipeline.reading.glance import Glance
    from pipeline.reading.orders import Map
    from pipeline.reading.run import Reading
    from pipeline.types import Score

_BEST: tuple[str, ...] = (
    "best_workflow",
    "best_env_reward_mean",
    "best_env_reward_stderr",
    "best_greedy_env_reward_mean",
    "best_greedy_env_reward_stderr",
    "best_compliance",
    "best_greedy_compliance",
    "best_num_evaluated",
)
_FOUND: tuple[str, ...] = (
    *_BEST,
    *("digest", "reason", "profile", "num_observed", "too_few_observed", "wall_s", "episodes_per_s"),
)
"""Of `run_finished`."""


def row(name: str, seen: Glance) -> dict[str, Any]:
    """Return a run as a row of the list."""
    config = seen.config
    return {
        "name": name,
        "state": seen.state,
        "why": seen.why,
        "episodes": seen.episodes,
        "budget": config.total_episodes if config else None,
        "red_agent": config.red_agent if config else None,
        "seed": str(config.seed) if config else None,  # JavaScript's numbers don't hold all
        "began_s": seen.began_s,
        "last_s": seen.last_s,
        **{key: (seen.finished or {}).get(key) for key in (*_BEST, "digest")},
    }


def details(name: str, reading: Reading) -> dict[str, Any]:
    """Return what of a run doesn't change from second to second: configuration, machine, what it found."""
    seen = reading.glance
    finished = seen.finished or {}
    return {
        "name": name,
        "folder": str(reading.run_dir),
        "configuration": configuration(seen.config) if seen.config else None,
        "machine": reading.machine(),
        "found": {key: finished.get(key) for key in _FOUND} if finished else None,
        "faults": reading.faults(),
    }


def configuration(config: Config) -> list[dict[str, Any]]:
    """Return a configuration, value by value, in its own order."""
    values = config.model_dump(mode="json")
    return [
        {
            "name": name,
            "value": "" if value is None else _text(value),
            "topic": topic.value if (topic := topic_of(name)) else "what runs note themselves",
            "decides_results": effect_of(name) is None,
        }
        for name, value in values.items()
    ]


def visit(reading: Reading, each: Visit) -> dict[str, Any]:
    """Return a visit: what was trained, and what came of it."""
    ended = reading.ended_visit(each)
    started = reading.events.under_way.get(each.workflow_id, {})
    return {
        "index": each.index,
        "iteration": ended.iteration if ended else started.get("iteration"),
        "workflow_id": each.workflow_id,
        "order": policy_name(each.workflow_id),
        "part": reading.part_of(each),
        "is_over": ended is not None,
        "reason": ended.reason if ended else None,
        "gp_updated": ended.gp_updated if ended else None,
        "score": score(ended.score) if ended else None,
    }


def orders(found: Map, num_visits: int) -> dict[str, Any]:
    """Return a map of all orders after some visits."""
    report = found.report
    tied = {each.workflow_order: each.probability for each in report.tied} if report else {}
    return {
        "num_visits": num_visits,
        "orders": [
            {
                "workflow_id": w,
                "order": order_name(w),
                "status": found.status[w],
                "num_episodes": found.num_episodes[w],
                "score": score(found.scores[w]) if w in found.scores else None,
                "mean": found.mean[w] if found.mean else None,
                "std": found.std[w] if found.std else None,
                "tied": tied.get(order_name(w)),
            }
            for w in range(NUM_WORKFLOWS)
        ],
        "best": report.best if report else None,
        "too_few_observed": report.too_little if report else True,
        "num_observed": report.num_observed if report else 0,
        "pairs": report.pairs if report and report.num_observed > 1 else (),
        "settling": report.settling if report and report.num_observed > 1 else None,
        "host_types": HOST_TYPES,
    }


def score(each: Score) -> dict[str, Any]:
    """Return an evaluation."""
    greedy = each.greedy_env_reward
    return {
        "num_evaluated": each.num_evaluated,
        "mean": each.env_reward.mean,
        "stderr": each.env_reward.stderr,
        "compliance": each.compliance,
        "greedy_mean": greedy.mean if greedy else None,
        "greedy_stderr": greedy.stderr if greedy else None,
        "greedy_compliance": each.greedy_compliance,
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={each}" for key, each in value.items() if each is not None)
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
