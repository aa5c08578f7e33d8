"""What a run believed of the 120 orders after each of its visits, computed anew from its logs.

The search is a function of what was observed (`pipeline.workflows`), and the logs say what that was, to four decimals.
So the map after any visit can be had without the run, to about as many.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.policy.params import SHARED_POLICY
from pipeline.types import Estimate, Score
from pipeline.workflows.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config import Config
    from pipeline.reading.visits import EndedVisit
    from pipeline.workflows.report import SearchReport


@dataclass(frozen=True, slots=True)
class Map:
    """All orders as the run saw them after a visit."""

    status: tuple[Status, ...]
    """By workflow id."""
    num_episodes: tuple[int, ...]
    """That each was trained for in the search, by workflow id."""
    scores: dict[int, Score]
    """What is observed, by workflow id."""
    mean: tuple[float, ...] | None
    """Of the posterior, by workflow id, in points; None while nothing is observed, as all below."""
    std: tuple[float, ...] | None
    """Of an order's true value, in points."""
    report: SearchReport | None


def map_after(config: Config, visits: Sequence[EndedVisit], orders_evaluated: Sequence[dict[str, Any]] = ()) -> Map:
    """Return the map after some visits.

    Takes about a second, and imports torch: call it on a thread.

    Args:
        config: The run's.
        visits: Those that are over, in the order in which they ended.
        orders_evaluated: Of a policy for all orders, what became of each visit in turn.

    Raises:
        ValueError: The logs say what no run can have observed.
    """
    from pipeline.workflows.search import Search  # imports torch, which takes seconds, and few ask for a map

    state = search_state(config, visits, orders_evaluated)
    try:
        search = Search.from_state(state)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no such search: {error}") from None
    posterior = search.posterior()
    return Map(
        status=tuple(search.status(workflow_id) for workflow_id in range(NUM_WORKFLOWS)),
        num_episodes=tuple(state["num_episodes"]),
        scores={each["workflow_id"]: _score(each) for each in state["observations"]},
        mean=tuple(posterior.mean.tolist()) if posterior else None,
        std=tuple(posterior.std.tolist()) if posterior else None,
        report=search.report(),
    )


def search_state(
    config: Config, visits: Sequence[EndedVisit], orders_evaluated: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Return what `Search.state()` was after some visits; that there were finals is left out, which no map depends on.

    Args:
        config: The run's.
        visits: Those that are over.
        orders_evaluated: As of `map_after`.

    Raises:
        ValueError: An evaluation of all orders is not one of 120.
    """
    status = [Status.UNDECIDED] * NUM_WORKFLOWS
    num_episodes = [0] * NUM_WORKFLOWS
    scores: dict[int, Score] = {}
    num_rounds = 0
    for visit in visits:
        workflow_id = visit.workflow_id
        if workflow_id == SHARED_POLICY:
            if num_rounds < len(orders_evaluated):
                scores = _reached(orders_evaluated[num_rounds], config.compliance_threshold)
                status = [Status.TRAINED if w in scores else Status.RETIRED for w in range(NUM_WORKFLOWS)]
            num_rounds += 1
            continue
        reached = visit.score.compliance >= config.compliance_threshold
        if not reached:
            scores.pop(workflow_id, None)
        if visit.part == "finals":  # a finalist was trained for longer than those that it was compared with
            continue
        if reached:
            scores[workflow_id] = visit.score
            status[workflow_id] = Status.TRAINED
        else:
            given_up = visit.reason in ("cap", "patience")
            status[workflow_id] = Status.RETIRED if given_up else Status.UNDECIDED
        num_episodes[workflow_id] += visit.num_episodes
    return {
        "seed": config.seed,
        "beta": config.gp_beta,
        "max_episodes_per_workflow": config.max_episodes_per_workflow,
        "iteration": len(visits),
        "status": [each.value for each in status],
        "num_episodes": num_episodes,
        "observations": [{"workflow_id": w, **asdict(scores[w])} for w in sorted(scores)],
        "finals": None,
    }


def _reached(evaluated: dict[str, Any], threshold: float) -> dict[int, Score]:
    try:
        scores = [
            Score(
                int(evaluated["num_episodes"]), Estimate(float(each["mean"]), float(each["stderr"])), float(compliance)
            )
            for each, compliance in zip(evaluated["env_reward"], evaluated["compliance"], strict=True)
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"no evaluation of all orders: {error}") from None
    if len(scores) != NUM_WORKFLOWS:
        raise ValueError(f"an evaluation of {len(scores)} orders: there are {NUM_WORKFLOWS}")
    return {w: score for w, score in enumerate(scores) if score.compliance >= threshold}


def _score(state: dict[str, Any]) -> Score:
    return Score(state["num_evaluated"], Estimate(**state["env_reward"]), state["compliance"])
