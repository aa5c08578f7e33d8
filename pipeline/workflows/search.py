"""The state of the outer loop: what was tried, what came of it, what may be tried next.

```
untried -missed-> retired          missed:  the visit ended by `cap` or `patience`
   |                 ^             reached: it came to the compliance threshold; its env reward is observed
reached            missed
   v                 |
trained -------------+             a visit cut short by `budget` changes no status and is not observed
```

A state machine without I/O: `next` says what to train, the caller trains it, `finish` takes the result.
Neither `next` nor a visit that never finishes leaves a trace, so a run that is resumed in the middle of a
visit goes on as it would have.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from pipeline import seeding
from pipeline.types import Estimate
from pipeline.workflows import gp_ucb
from pipeline.workflows.gp_ucb import Observation
from pipeline.workflows.orders import NUM_WORKFLOWS

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.types import WorkflowResult

_LOTS: Final = 0
"""Index of the seeds that ties are broken with."""
_FIT: Final = 1
"""Index of the seeds of the Gaussian process."""


class Status(StrEnum):
    """What came of a workflow so far."""

    UNTRIED = "untried"
    """No visit has decided on it."""
    TRAINED = "trained"
    """It reached the threshold. It may be picked again, to go on with its policy, while it has episodes left."""
    RETIRED = "retired"
    """Its last visit missed the threshold: it is not picked again. What it was observed at before, stays."""


@dataclass(frozen=True, slots=True)
class Pick:
    """The workflow to train next."""

    iteration: int
    """Visits finished before."""
    workflow_id: int
    """0 to 119."""
    ucb_score: float
    """`mean + beta * std`, in points; NaN while there is no observation to go by."""


@dataclass(frozen=True, slots=True)
class SearchStatistics:
    """How far the search has come."""

    iteration: int
    """Visits finished."""
    num_untried: int
    num_trained: int
    num_retired: int
    num_candidates: int
    """Workflows that may be picked: those not retired that have episodes left."""
    num_observations: int
    """Visits that the Gaussian process knows of."""


class Search:
    """GP-UCB over the 120 workflows, as state.

    Args:
        seed: The run's seed, `>= 0`.
        beta: Standard deviations that the score adds to the mean, `>= 0`.
        max_episodes_per_workflow: Episodes that one workflow may use over all its visits, `>= 1`.
    """

    def __init__(self, *, seed: int, beta: float, max_episodes_per_workflow: int) -> None:
        self._seed = seed
        self._beta = beta
        self._max_episodes_per_workflow = max_episodes_per_workflow
        self._iteration = 0
        self._status = [Status.UNTRIED] * NUM_WORKFLOWS
        self._num_episodes = [0] * NUM_WORKFLOWS
        self._observations: list[Observation] = []

    def next(self) -> Pick | None:
        """Return the workflow to train next, or None if none is left.

        A function of the state, which it leaves as it is. Takes up to a second once there are observations:
        in an event loop, call it on a thread.
        """
        candidates = self._candidates()
        if not candidates.any():
            return None
        posterior = None
        if self._observations:
            fit_seed = seeding.seed(self._seed, seeding.Stream.SEARCH, self._iteration, _FIT)
            posterior = gp_ucb.fit(self._observations, fit_seed)
        lots = seeding.generator(self._seed, seeding.Stream.SEARCH, self._iteration, _LOTS)
        choice = gp_ucb.choose(posterior, candidates, self._beta, lots)
        return Pick(self._iteration, choice.workflow_id, choice.ucb_score)

    def finish(self, result: WorkflowResult) -> bool:
        """Take note of how a visit ended.

        Args:
            result: Of a workflow that was a candidate.

        Returns:
            Whether the Gaussian process learned of it.

        Raises:
            ValueError: The workflow is retired or has no episodes left, or its env reward is no number.
            Nothing changes.
        """
        workflow_id = result.workflow_id
        if not self._candidates()[workflow_id]:
            raise ValueError(
                f"workflow {workflow_id} can't have been trained: it is {self._status[workflow_id]} and has "
                f"used {self._num_episodes[workflow_id]} of {self._max_episodes_per_workflow} episodes; train "
                "what `next` returns"
            )
        if result.reached_threshold:
            estimate = result.env_reward
            self._observations.append(Observation(workflow_id, estimate.mean, estimate.stderr))
            self._status[workflow_id] = Status.TRAINED
        elif result.reason != "budget":
            self._status[workflow_id] = Status.RETIRED
        self._num_episodes[workflow_id] += result.num_episodes
        self._iteration += 1
        return result.reached_threshold

    def best(self) -> tuple[int, Estimate] | None:
        """Return the workflow with the highest observed env reward, and that reward, pooled over its visits.

        Equals go to the lowest id. None before the first observation. `tied_with_best` says how little "best"
        may mean.
        """
        pooled = gp_ucb.pool(self._observations)
        if not pooled:
            return None
        best = max(pooled, key=lambda observation: observation.env_reward)
        return best.workflow_id, Estimate(best.env_reward, best.stderr)

    def tied_with_best(self) -> list[int]:
        """Return the observed workflows that can't be told from the best, itself included, by ascending id.

        These are within two standard errors of the difference. Many orders are equal by the rules of the
        game, so that a long list is to be expected, and the first in it has no claim over the others.
        """
        best = self.best()
        if best is None:
            return []
        _, top = best
        return [
            observation.workflow_id
            for observation in gp_ucb.pool(self._observations)
            if top.mean - observation.env_reward <= 2 * math.hypot(top.stderr, observation.stderr)
        ]

    def status(self, workflow_id: int) -> Status:
        """Return what came of a workflow so far."""
        return self._status[workflow_id]

    def statistics(self) -> SearchStatistics:
        """Return how far the search has come."""
        return SearchStatistics(
            iteration=self._iteration,
            num_untried=self._status.count(Status.UNTRIED),
            num_trained=self._status.count(Status.TRAINED),
            num_retired=self._status.count(Status.RETIRED),
            num_candidates=int(self._candidates().sum()),
            num_observations=len(self._observations),
        )

    def state(self) -> dict[str, Any]:
        """Return everything as what JSON can hold, for `from_state`; floats survive exactly."""
        return {
            "seed": self._seed,
            "beta": self._beta,
            "max_episodes_per_workflow": self._max_episodes_per_workflow,
            "iteration": self._iteration,
            "status": [status.value for status in self._status],
            "num_episodes": list(self._num_episodes),
            "observations": [asdict(observation) for observation in self._observations],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return a search that goes on from `state()`.

        Raises:
            KeyError: Something is missing from the state.
            ValueError: A value in it can't be.
        """
        search = cls(
            seed=state["seed"],
            beta=state["beta"],
            max_episodes_per_workflow=state["max_episodes_per_workflow"],
        )
        search._iteration = state["iteration"]
        search._status = [Status(status) for status in state["status"]]
        search._num_episodes = list(state["num_episodes"])
        search._observations = [Observation(**observation) for observation in state["observations"]]
        return search

    def _candidates(self) -> npt.NDArray[np.bool_]:
        """`[120]` bool: which workflows may be picked."""
        retired = np.array([status is Status.RETIRED for status in self._status])
        used_up = np.array(self._num_episodes) >= self._max_episodes_per_workflow
        return ~(retired | used_up)
