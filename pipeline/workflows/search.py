r"""The state of the outer loop: what was tried, what came of it, what may be tried next.

```
undecided -missed-> retired        reached: the fresh evaluation at a visit's end came to the compliance threshold;
   |  ^               ^                     what it says is observed, in the place of what was observed before
reached \              |             missed:  it did not; what was observed before is forgotten. A visit that ended by
   v     \            |                     `threshold` or `budget` leaves the workflow undecided, one by `cap` or
trained --missed------+                     `patience` retires it
```

A state machine without I/O: `next` says what to train, the caller trains it, `finish` takes the result. Several
may be trained at a time: the caller says which (`under_way`), and the search keeps no account of them.
Neither `next` nor a visit that never finishes leaves a trace, so a run that is resumed in the middle of a
visit goes on as it would have. Once `hold_finals` was called, finalists are what is next (`finals`).
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from pipeline import seeding
from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.workflows import choice
from pipeline.workflows.finals import Finals, finalists, score_from
from pipeline.workflows.observations import Observation
from pipeline.workflows.posterior import expecting, fit, sample
from pipeline.workflows.report import MIN_OBSERVED, NUM_SAMPLES, report
from pipeline.workflows.status import Belief, Pick, SearchStatistics, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

    from pipeline.types import Score, WorkflowResult
    from pipeline.workflows.posterior import Posterior
    from pipeline.workflows.report import SearchReport

_LOTS: Final = 0
"""Index of the seeds that ties are broken with."""
_REPORT: Final = 1
"""Index of the seeds that a report samples the posterior with."""
_FINALISTS: Final = 2
"""Index of the seeds that finalists are chosen with."""


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
        self._status = [Status.UNDECIDED] * NUM_WORKFLOWS
        self._num_episodes = [0] * NUM_WORKFLOWS
        self._scores: dict[int, Score] = {}
        """What is observed: the latest evaluation of each workflow that reached the threshold in it."""
        self.finals: Finals | None = None
        """Once they are held."""
        self._believed: Posterior | None = None
        """What was made of the observations, until there is a new one."""

    def next(self, under_way: Collection[int] = ()) -> Pick | None:
        """Return the workflow to train next, or None if none is left.

        The next finalist, if finals are held and not over. Else the candidate with the highest upper confidence bound,
        among those that are not observed if there are any: whoever is visited again is trained for longer than the
        others, and could not be compared with them. While none is observed, the one that was trained for longest.

        Of those under way it is assumed that they come to what is expected of them, so that the bounds of orders like
        them shrink, and the next one is unlike them (`posterior.expecting`).

        A function of the state, which it leaves as it is. Fits (see `posterior`): in an event loop, call it on a
        thread.

        Args:
            under_way: Workflows in training, each picked before and not finished.
        """
        iteration = self._iteration + len(under_way)
        if self.finals and self.finals.left:
            waiting = (w for w in self.finals.left if w not in under_way)
            return next((Pick(iteration, w, math.nan) for w in waiting), None)
        candidates = self._candidates() & ~_mask(under_way)
        if not candidates.any():
            return None
        new = candidates & ~_mask(self._scores)
        if new.any():
            candidates = new
        if not self._scores:  # what has been trained for longest may soon be something to go by
            most = max(self._num_episodes[w] for w in np.flatnonzero(candidates))
            candidates &= np.array(self._num_episodes) == most
        believed = self.posterior()
        if believed is not None and under_way:
            believed = expecting(believed, under_way)
        lots = seeding.generator(self._seed, seeding.Stream.SEARCH, iteration, _LOTS)
        chosen = choice.choose(believed, candidates, self._beta, lots)
        return Pick(iteration, chosen.workflow_id, chosen.ucb_score)

    def finish(self, result: WorkflowResult) -> bool:
        """Take note of how a visit ended.

        A finalist's score is kept by the finals: it was trained for longer than those that it was compared with.

        Args:
            result: Of what `next` returned, or of another workflow that was a candidate where no finals are held.

        Returns:
            Whether the Gaussian process learned what the workflow's policy is worth.

        Raises:
            ValueError: The workflow is retired or has no episodes left, or its env reward is no number.
            Nothing changes.
        """
        workflow_id = result.workflow_id
        if self.finals and self.finals.left:
            return self._finish_final(self.finals, result)
        if not self._candidates()[workflow_id]:
            raise ValueError(
                f"workflow {workflow_id} can't have been trained: it is {self._status[workflow_id]} and has "
                f"used {self._num_episodes[workflow_id]} of {self._max_episodes_per_workflow} episodes; train "
                "what `next` returns"
            )
        if result.reached_threshold:
            _observation(workflow_id, result.score)  # which refuses what is none
            self._scores[workflow_id] = result.score
            self._status[workflow_id] = Status.TRAINED
        else:
            self._scores.pop(workflow_id, None)
            given_up = result.reason in ("cap", "patience")
            self._status[workflow_id] = Status.RETIRED if given_up else Status.UNDECIDED
        if self.finals:
            self.finals.forget(workflow_id)
        self._believed = None
        self._num_episodes[workflow_id] += result.num_episodes
        self._iteration += 1
        return result.reached_threshold

    def hold_finals(self, num_finalists: int, num_episodes: int) -> None:
        """Let the next visits be those of finalists: the last winner, the best of the search, and who may be better.

        Takes some tenths of a second (see `posterior`).

        Args:
            num_finalists: `>= 1`; fewer if fewer observed orders may be better than the best (see `finalists`).
            num_episodes: That the finals may use, `>= 1`.

        Raises:
            ValueError: Nothing is observed, or there are no episodes.
        """
        believed = self.posterior()
        if believed is None:
            raise ValueError("no finals without an observed order: go on searching")
        samples = seeding.generator(self._seed, seeding.Stream.SEARCH, self._iteration, _FINALISTS)
        values = sample(believed, NUM_SAMPLES, samples)
        champion = [workflow_id for workflow_id, _ in self.finals.ranking[:1]] if self.finals else []
        enough_for = max(1, num_episodes // 2)  # whoever wins is to have something left
        chosen = finalists(values, self._scores, [*champion, believed.best], min(num_finalists, enough_for))
        self.finals = Finals(chosen, num_episodes, next(iter(champion), None))

    def best(self, under_way: Collection[int] = ()) -> tuple[int, Score] | None:
        """Return the workflow whose policy is named the best, and what it is worth by its latest evaluation.

        The best finalist, or before there is one the observed workflow of the highest posterior mean; None if there is
        none. Fits (see `posterior`) where there are several to choose from.

        Args:
            under_way: Workflows in training: their policies are no longer those that were evaluated.
        """
        if self.finals and (done := [each for each in self.finals.ranking if each[0] not in under_way]):
            return done[0]
        eligible = [w for w in sorted(self._scores) if w not in under_way]
        believed = self.posterior() if len(eligible) > 1 else None
        if believed is None:
            return (eligible[0], self._scores[eligible[0]]) if eligible else None
        best = max(eligible, key=lambda w: (believed.mean[w], -w))
        return best, self._scores[best]

    def observe_all(self, scores: Sequence[Score], threshold: float) -> None:
        """Take note of an evaluation of all workflows at once. It replaces all that was observed before.

        Args:
            scores: Of all 120 workflows, by id.
            threshold: Compliance from which on a workflow is observed, and trained; below, it is retired until the
                next evaluation.

        Raises:
            ValueError: An env reward of a workflow that reached the threshold is no number. Nothing changes.
        """
        reached = {w: score for w, score in enumerate(scores) if score.compliance >= threshold}
        for workflow_id, score in reached.items():
            _observation(workflow_id, score)  # which refuses what is none
        self._scores = reached
        self._status = [Status.TRAINED if w in reached else Status.RETIRED for w in range(NUM_WORKFLOWS)]
        self._believed = None
        self._iteration += 1

    def deal(self, num_episodes: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
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
        if self._believed is None and self._scores:
            self._believed = fit(self._observations())
        return self._believed

    def report(self) -> SearchReport | None:
        """Return what may be concluded from the observations, or None if there are none.

        A function of the state. Takes some tenths of a second: in an event loop, call it on a thread.
        """
        if not self._scores:
            return None
        eligible = np.array([status is not Status.RETIRED for status in self._status])
        samples = seeding.generator(self._seed, seeding.Stream.SEARCH, self._iteration, _REPORT)
        return report(self._observations(), eligible, samples)

    def promising(self, num: int) -> tuple[Belief, ...]:
        """Return the orders that are believed to be worth most, the best first, equals by their ids.

        None of them was given up. Fits (see `posterior`): in an event loop, call it on a thread.

        Args:
            num: How many, `>= 0`. There are none while fewer than `report.MIN_OBSERVED` are observed.
        """
        believed = self.posterior()
        if believed is None or len(self._scores) < MIN_OBSERVED:
            return ()
        by_mean = np.argsort(-believed.mean, kind="stable").tolist()
        eligible = [w for w in by_mean if self._status[w] is not Status.RETIRED]
        return tuple(
            Belief(w, float(believed.mean[w]), float(believed.std[w]), observed=w in self._scores)
            for w in eligible[:num]
        )

    def status(self, workflow_id: int) -> Status:
        """Return what came of a workflow so far."""
        return self._status[workflow_id]

    def episodes_left(self, workflow_id: int) -> int:
        """Return how many episodes the search may still use on a workflow; those of finals don't count."""
        return self._max_episodes_per_workflow - self._num_episodes[workflow_id]

    def statistics(self) -> SearchStatistics:
        """Return how far the search has come."""
        return SearchStatistics(
            iteration=self._iteration,
            num_undecided=self._status.count(Status.UNDECIDED),
            num_trained=self._status.count(Status.TRAINED),
            num_retired=self._status.count(Status.RETIRED),
            num_candidates=int(self._candidates().sum()),
            num_observations=len(self._scores),
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
            "observations": [{"workflow_id": w, **asdict(self._scores[w])} for w in sorted(self._scores)],
            "finals": self.finals.state() if self.finals else None,
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
        search._scores = {each["workflow_id"]: score_from(each) for each in state["observations"]}
        search.finals = Finals.from_state(state["finals"]) if state["finals"] else None
        search._observations()  # which refuses what is none
        return search

    def _finish_final(self, finals: Finals, result: WorkflowResult) -> bool:
        workflow_id = result.workflow_id
        if result.reached_threshold:
            _observation(workflow_id, result.score)  # which refuses what is none
        finals.finish(workflow_id, result.score if result.reached_threshold else None)
        if not result.reached_threshold:
            self._scores.pop(workflow_id, None)
            self._believed = None
        self._iteration += 1
        return False

    def _observations(self) -> list[Observation]:
        return [_observation(w, score) for w, score in sorted(self._scores.items())]

    def _candidates(self) -> npt.NDArray[np.bool_]:
        """`[120]` bool: which workflows may be picked."""
        retired = np.array([status is Status.RETIRED for status in self._status])
        used_up = np.array(self._num_episodes) >= self._max_episodes_per_workflow
        return ~(retired | used_up)


def _mask(workflow_ids: Collection[int]) -> npt.NDArray[np.bool_]:
    """`[120]` bool: which workflows are among some."""
    return np.isin(np.arange(NUM_WORKFLOWS), list(workflow_ids))


def _observation(workflow_id: int, score: Score) -> Observation:
    """Return what the Gaussian process hears of a score.

    Raises:
        ValueError: The score is no number.
    """
    return Observation(workflow_id, score.env_reward.mean, score.env_reward.stderr, score.num_evaluated)
