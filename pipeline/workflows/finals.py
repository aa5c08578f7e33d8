"""The finals: the orders that a search can't tell from the best, trained to the end one after the other and ranked."""

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
        self._scores: list[Score | None] = []

    @property
    def left(self) -> tuple[int, ...]:
        """Finalists that have yet to be trained, in that order."""
        return self._finalists[len(self._scores) :]

    def finish(self, score: Score | None) -> None:
        """Take note of what the next finalist came to.

        Args:
            score: Its evaluation, with greedy episodes; None if it misses the compliance threshold.

        Raises:
            ValueError: All have been trained.
        """
        if not self.left:
            raise ValueError("the finals are over: no finalist is left to have been trained")
        self._scores.append(score)

    @property
    def winner(self) -> tuple[int, Score] | None:
        """The finalist with the highest greedy env reward so far, the first of equals, or None if none counts."""
        ranked = [(w, score) for w, score in zip(self._finalists, self._scores, strict=False) if score is not None]
        return max(ranked, key=lambda finalist: _greedy(finalist[1]), default=None)

    def state(self) -> dict[str, Any]:
        """Return everything as what JSON can hold, for `from_state`; floats survive exactly."""
        return {
            "finalists": list(self._finalists),
            "scores": [None if score is None else asdict(score) for score in self._scores],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return finals that go on from `state()`.

        Raises:
            KeyError: Something is missing from the state.
            ValueError: A value in it can't be.
        """
        finals = cls(state["finalists"])
        for score in state["scores"]:
            finals.finish(None if score is None else score_from(score))
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
