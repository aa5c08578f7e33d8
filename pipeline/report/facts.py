"""All that a report tells of a run, gathered: what it wrote, what its defender is worth, and two of its episodes.

run's folder -> reading -> curves, visits, map of orders    |
             -> its best policy -> the nine games           | -> Facts -> page
                                -> two episodes, to be seen |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from pipeline.cage2.facts.order_names import order_name
from pipeline.cage2.facts.spec import EPISODE_STEPS, RED_AGENTS
from pipeline.collect.methods import game_spec
from pipeline.config import Config
from pipeline.evaluate.chosen import compared
from pipeline.evaluate.evaluation import Request, evaluate
from pipeline.evaluate.scenario import PROTOCOL, Scenario
from pipeline.evaluate.task import Policy
from pipeline.evaluate.trained import NoPolicyError, load_trained
from pipeline.persist.files import read_json
from pipeline.policy.params import policy_name
from pipeline.reading.run import Reading
from pipeline.replay.played import play, returns_of
from pipeline.report.errors import ReportError
from pipeline.report.findings import Found
from pipeline.run.summary import SUMMARY, found_fields
from pipeline.types import RunFinished
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.evaluate.chosen import Chosen
    from pipeline.evaluate.results import ScenarioResult
    from pipeline.evaluate.trained import Trained
    from pipeline.reading.curves import Points
    from pipeline.reading.orders import Map
    from pipeline.reading.visits import EndedVisit
    from pipeline.replay.episode import Replay

MOST_POINTS = 400
"""Of a curve: as many as a picture can show, and few enough for a page that is mailed."""


@dataclass(frozen=True, slots=True)
class VisitCurve:
    """A visit's learning curve."""

    workflow_order: str
    part: str
    """`search` or `finals`; of a visit that isn't over, `search`."""
    points: Points


@dataclass(frozen=True, slots=True)
class Defender:
    """The policy that the run names, and what it is worth."""

    trained: Trained
    results: tuple[ScenarioResult, ...]
    """Greedy, of fresh episodes: the nine games, or those of the run's own length."""
    num_episodes: int
    """Of each game."""
    typical: Replay
    """The episode of the median return, against the Red that it was trained against."""
    worst: Replay
    """Of as many episodes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report tells of a run."""

    run_dir: Path
    config: Config
    machine: dict[str, Any] | None
    state: str
    """What became of it; `reading.glance.State`."""
    why: str
    """The state in words."""
    episodes: int
    updates: int
    found: Found
    """What was found; of a run that has not ended, what may be concluded so far."""
    digest: str | None
    """None before the run's end."""
    curves: tuple[VisitCurve, ...]
    visits: tuple[EndedVisit, ...]
    map: Map | None
    defender: Defender | None
    no_defender: str
    """Why there is none; empty if there is one."""


def gather(run_dir: Path, num_episodes: int, note_progress: Callable[[int], None] = lambda _: None) -> Facts:
    """Return what a report tells of a run.

    Args:
        run_dir: Its folder; read, and never written.
        num_episodes: Of each game, for its defender.
        note_progress: Called now and then with the number of episodes that were played since it was called last.

    Raises:
        ReportError: The folder's configuration can't be read.
        CheckpointError: Its checkpoint is damaged.
    """
    reading = Reading(run_dir)
    reading.refresh()
    seen = reading.glance
    if seen.config is None:
        raise ReportError(f"no report of {run_dir}: {seen.why}")
    visits = tuple(reading.ended.visits)
    try:
        orders = reading.orders_after(len(visits)) if visits else None
    except ValueError as error:
        raise ReportError(f"no report of {run_dir}: its logs are damaged: {error}") from None
    defender, why = None, ""
    try:
        trained = load_trained(run_dir, None)
    except NoPolicyError as error:
        why = str(error)
    else:
        defender = _defender(trained, num_episodes, note_progress)
    found, digest = _found(run_dir, reading, orders, defender)
    return Facts(
        run_dir=run_dir,
        config=seen.config,
        machine=reading.machine(),
        state=seen.state,
        why=seen.why,
        episodes=seen.episodes,
        updates=reading.curves.num_rows,
        found=found,
        digest=digest,
        curves=tuple(_curves(reading)),
        visits=visits,
        map=orders,
        defender=defender,
        no_defender=why,
    )


def num_played(num_episodes: int) -> int:
    """Return how many episodes `gather` plays."""
    return num_episodes * (len(PROTOCOL) + 1)


def _curves(reading: Reading) -> list[VisitCurve]:
    curves = []
    for visit in reading.curves.visits:
        points = reading.curves.points(visit, MOST_POINTS)
        if points is not None:
            curves.append(VisitCurve(policy_name(visit.workflow_id), reading.part_of(visit), points))
    return curves


def _found(run_dir: Path, reading: Reading, orders: Map | None, defender: Defender | None) -> tuple[Found, str | None]:
    """Return what was found, and the digest: as the run's summary has it, or what may be said before there is one."""
    if reading.glance.finished is not None:
        try:
            summary = read_json(run_dir / SUMMARY)
            finished = TypeAdapter(RunFinished).validate_python(
                {name: summary[name] for name in RunFinished.__dataclass_fields__ if name in summary}
            )
        except (OSError, ValueError, TypeError):
            pass  # gone or damaged: what the logs say can be had without it
        else:
            return Found.of(finished), finished.digest
    best = order_name(defender.trained.workflow_id) if defender else None
    return Found(best_workflow=best, best_score=None, **found_fields(orders.report if orders else None)), None


def _defender(trained: Trained, num_episodes: int, note_progress: Callable[[int], None]) -> Defender:
    # any engine plays the same, and all nine games are played against the game's own Reds
    values = what_results_depend_on(trained.config)
    config = Config.model_validate(
        {**values, "engine": "fast", "red_agent": RED_AGENTS[0], "red_sha256": {}, "seed": 0}
    )
    scenarios = PROTOCOL
    if config.episode_steps != EPISODE_STEPS:
        scenarios = tuple(Scenario(red_agent, config.episode_steps) for red_agent in RED_AGENTS)
    policy = Policy(trained.weights, trained.workflow_id, greedy=True)
    results = evaluate(Request(policy, game_spec(config), scenarios, num_episodes, config.seed), note_progress)
    own = trained.config.red_agent
    red_agent = own if own in RED_AGENTS else RED_AGENTS[0]
    chosen = compared(config.model_copy(update={"red_agent": red_agent}), None, range(num_episodes))
    returns = returns_of(trained, chosen, greedy=True, note_progress=note_progress)
    by_return = np.argsort(returns, kind="stable")
    return Defender(
        trained=trained,
        results=results,
        num_episodes=num_episodes,
        typical=_replay(trained, chosen, int(by_return[len(returns) // 2])),
        worst=_replay(trained, chosen, int(by_return[0])),
    )


def _replay(trained: Trained, chosen: Chosen, index: int) -> Replay:
    return play(trained, replace(chosen, indices=range(index, index + 1)), greedy=True).replay()
