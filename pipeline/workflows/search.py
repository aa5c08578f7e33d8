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

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from pipeline import seeding
from pipeline.cage2.facts.orders import NUM_WORKFLOWS
from pipeline.workflows import choice
from pipeline.workflows.observations import Observation, repeats
from pipeline.workflows.posterior import fit
from pipeline.workflows.report import report

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.types import WorkflowResult
    from pipeline.workflows.posterior import Posterior
    from pipeline.workflows.report import SearchReport

_LOTS: Final = 0
"""Index of the seeds that ties are broken with."""
_REPORT: Final = 1
"""Index of the seeds that a report samples the posterior with."""


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
        self._believed: Posterior | None = None
        """What was made of the observations, until there is a new one."""

    def next(self) -> Pick | None:
        """Return the workflow to train next, or None if none is left.

        The one with the highest upper confidence bound. If the last visit was to a workflow that had been observed
        before, and others haven't been, it is the highest of those: a leader that is known to be good would else be
        picked again and again, and the search is for the best order, not for the best reward on the way.

        A function of the state, which it leaves as it is. Fits (see `posterior`): in an event loop, call it on a
        thread.
        """
        candidates = self._candidates()
        if not candidates.any():
            return None
        new = candidates & ~self._observed()
        if repeats(self._observations) and new.any():
            candidates = new
        lots = seeding.generator(self._seed, seeding.Stream.SEARCH, self._iteration, _LOTS)
        chosen = choice.choose(self.posterior(), candidates, self._beta, lots)
        return Pick(self._iteration, chosen.workflow_id, chosen.ucb_score)

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
            self._observations.append(Observation(workflow_id, estimate.mean, estimate.stderr, result.num_evaluated))
            self._believed = None
            self._status[workflow_id] = Status.TRAINED
        elif result.reason != "budget":
            self._status[workflow_id] = Status.RETIRED
        self._num_episodes[workflow_id] += result.num_episodes
        self._iteration += 1
        return result.reached_threshold

    def observe_all(
        self,
        means: npt.NDArray[np.float64],
        stderrs: npt.NDArray[np.float64],
        compliance: npt.NDArray[np.float64],
        threshold: float,
        num_episodes: int,
    ) -> None:
        """Take note of an evaluation of all workflows at once. It replaces all that was observed before.

        Args:
            means: `[120]` float64, env rewards, in points.
            stderrs: `[120]` float64, their standard errors.
            compliance: `[120]` float64, 0 to 1.
            threshold: Compliance from which on a workflow is observed, and trained; below, it is retired until the
                next evaluation.
            num_episodes: That each mean is over.

        Raises:
            ValueError: An env reward of a workflow that reached the threshold is no number. Nothing changes.
        """
        reached = np.asarray(compliance) >= threshold
        self._observations = [
            Observation(workflow_id, float(means[workflow_id]), float(stderrs[workflow_id]), num_episodes)
            for workflow_id in np.flatnonzero(reached).tolist()
        ]
        self._status = [Status.TRAINED if followed else Status.RETIRED for followed in reached]
        self._believed = None
        self._iteration += 1

    def forget(self, workflow_id: int) -> None:
        """Forget what a workflow was observed at: by a policy that has been trained on since."""
        kept = [observation for observation in self._observations if observation.workflow_id != workflow_id]
        if len(kept) < len(self._observations):
            self._observations, self._believed = kept, None

    def spread(self, num_episodes: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return which workflow each of the next episodes is played with, where one policy learns all of them.

        A function of the state and of `rng`; the state stays as it is. See `choice.deal`. Cheap but for the first
        time after an observation, when it fits (see `posterior`).

        Args:
            num_episodes: `B`.
            rng: Shuffles.

        Returns:
            `[B]` int64, ids.
        """
        contenders = np.array([status is Status.TRAINED for status in self._status])
        return choice.deal(self.posterior(), contenders, self._beta, num_episodes, rng)

    def posterior(self) -> Posterior | None:
        """Return what the observations say of all workflows, or None if there are none.

        Fitted once per state, in 0.1 s or so: in an event loop, call it on a thread first.
        """
        if self._believed is None and self._observations:
            self._believed = fit(self._observations)
        return self._believed

    def report(self) -> SearchReport | None:
        """Return what may be concluded from the observations, or None if there are none.

        A function of the state. Takes some tenths of a second: in an event loop, call it on a thread.
        """
        if not self._observations:
            return None
        eligible = np.array([status is not Status.RETIRED for status in self._status])
        eligible |= self._observed()
        samples = seeding.generator(self._seed, seeding.Stream.SEARCH, self._iteration, _REPORT)
        return report(self._observations, eligible, samples)

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

    def _observed(self) -> npt.NDArray[np.bool_]:
        """`[120]` bool: which workflows the Gaussian process was told of."""
        observed = np.zeros(NUM_WORKFLOWS, dtype=bool)
        observed[[observation.workflow_id for observation in self._observations]] = True
        return observed

    def _candidates(self) -> npt.NDArray[np.bool_]:
        """`[120]` bool: which workflows may be picked."""
        retired = np.array([status is Status.RETIRED for status in self._status])
        used_up = np.array(self._num_episodes) >= self._max_episodes_per_workflow
        return ~(retired | used_up)
