"""The finals: the orders that a search can't tell from the best, trained to the end and ranked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from pipeline.types import Estimate, Score
from pipeline.workflows.report import MIN_PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipeline.workflows.report import SearchReport


class Finals:
    """Who is in the finals, and what came of those who have been trained, as state.

    Args:
        finalists: Ids, the most promising first; at least one, each once.

    Raises:
        ValueError: There is no finalist, or one is named twice.
    """

    def __init__(self, finalists: Sequence[int]) -> None:
        if not finalists or len(set(finalists)) != len(finalists):
            raise ValueError(f"finals are held between different orders, not {list(finalists)}")
        self._finalists = tuple(finalists)
        self._scores: dict[int, Score | None] = {}

    @property
    def left(self) -> tuple[int, ...]:
        """Finalists that have yet to be trained to the end, in that order."""
        return tuple(workflow_id for workflow_id in self._finalists if workflow_id not in self._scores)

    def finish(self, workflow_id: int, score: Score | None) -> None:
        """Take note of what a finalist came to.

        Args:
            workflow_id: Whose policy was trained to the end.
            score: Its evaluation, with greedy episodes; None if it misses the compliance threshold.

        Raises:
            ValueError: It is none of those that are left.
        """
        if workflow_id not in self.left:
            raise ValueError(f"workflow {workflow_id} can't have been trained: the finalists left are {self.left}")
        self._scores[workflow_id] = score

    @property
    def winner(self) -> tuple[int, Score] | None:
        """The finalist with the highest greedy env reward so far, the first of equals, or None if none counts."""
        scores = [(w, self._scores.get(w)) for w in self._finalists]
        ranked = [(w, score) for w, score in scores if score is not None]
        return max(ranked, key=lambda finalist: _greedy(finalist[1]), default=None)

    def state(self) -> dict[str, Any]:
        """Return everything as what JSON can hold, for `from_state`; floats survive exactly."""
        return {
            "finalists": list(self._finalists),
            "scores": [
                {"workflow_id": w, "score": None if score is None else asdict(score)}
                for w, score in sorted(self._scores.items())
            ],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return finals that go on from `state()`.

        Raises:
            KeyError: Something is missing from the state.
            ValueError: A value in it can't be.
        """
        finals = cls(state["finalists"])
        for each in state["scores"]:
            finals.finish(each["workflow_id"], None if each["score"] is None else score_from(each["score"]))
        return finals


def finalists(found: SearchReport, observed: Collection[int], champion: int | None) -> list[int]:
    """Return who should be in the finals, the most promising first.

    Args:
        found: By the search.
        observed: Workflows whose policies reached the compliance threshold.
        champion: Who won the last finals, if any were held.

    Returns:
        Ids, each once: the champion, the best of the search, then the observed that can't be told from it by their
        probability, the lowest id of equals first.
    """
    likely = sorted(
        (workflow_id for workflow_id in observed if found.within_one[workflow_id] >= MIN_PROBABILITY),
        key=lambda workflow_id: (-found.within_one[workflow_id], workflow_id),
    )
    return list(dict.fromkeys([*([] if champion is None else [champion]), found.best, *likely]))


def score_from(state: dict[str, Any]) -> Score:
    """Return a score that was taken apart by `dataclasses.asdict`."""
    greedy = state["greedy_env_reward"]
    return Score(
        num_evaluated=state["num_evaluated"],
        env_reward=Estimate(**state["env_reward"]),
        compliance=state["compliance"],
        greedy_env_reward=Estimate(**greedy) if greedy else None,
        greedy_compliance=state["greedy_compliance"],
    )


def _greedy(score: Score) -> float:
    return (score.greedy_env_reward or score.env_reward).mean
