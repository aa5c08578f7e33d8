"""The finals: heats between the orders that a search can't tell apart, then the best of them is trained to the end.

An order's worth shows late: after some thousand episodes of training two policies of one order differ by more than two
orders do. So each finalist has an equal share of one half of the episodes, and the winner all of the other half.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from pipeline.types import Estimate, Score

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

MIN_GAIN: Final = 0.05
"""Points that a finalist has to add to what the best of the finalists is expected to be worth."""


class Finals:
    """Who is in the finals, and what came of those who have been trained, as state.

    Args:
        finalists: Ids, the most promising first; at least one, each once.
        num_episodes: That the finals may use, `>= 1`.
        champion: The finalist that has won finals before, if any.

    Raises:
        ValueError: There is no finalist, one is named twice, or there are no episodes.
    """

    def __init__(self, finalists: Sequence[int], num_episodes: int, champion: int | None = None) -> None:
        if not finalists or len(set(finalists)) != len(finalists):
            raise ValueError(f"finals are held between different orders, not {list(finalists)}")
        if num_episodes < 1:
            raise ValueError(f"finals can't be held with {num_episodes} episodes")
        self._finalists = tuple(finalists)
        self._num_episodes = num_episodes
        self.champion = champion
        self._scores: dict[int, Score | None] = {}
        self._is_over = False

    @property
    def left(self) -> tuple[int, ...]:
        """Finalists whose heat has yet to be held, in their order; then the winner, if it is to go on."""
        if self.are_heats:
            return tuple(workflow_id for workflow_id in self._finalists if workflow_id not in self._scores)
        return () if self._is_over else tuple(workflow_id for workflow_id, _ in self.ranking[:1])

    @property
    def are_heats(self) -> bool:
        """Whether a finalist has yet to be trained for the first time in these finals."""
        return len(self._scores) < len(self._finalists)

    @property
    def heat_episodes(self) -> int:
        """Episodes of a heat: an equal share of one half of all; a finalist without rivals has all at once."""
        num_finalists = len(self._finalists)
        return self._num_episodes if num_finalists == 1 else max(1, self._num_episodes // (2 * num_finalists))

    @property
    def winners_episodes(self) -> int:
        """Episodes that the winner is trained with, heat and all: its learning rate falls over so many."""
        return max(self.heat_episodes, self._num_episodes - (len(self._finalists) - 1) * self.heat_episodes)

    def finish(self, workflow_id: int, score: Score | None) -> None:
        """Take note of what a finalist came to in its heat, or the winner in the end.

        Args:
            workflow_id: Who was trained.
            score: Its evaluation, with greedy episodes; None if it misses the compliance threshold.

        Raises:
            ValueError: It is none of those that are left.
        """
        if workflow_id not in self.left:
            raise ValueError(f"workflow {workflow_id} can't have been trained: the finalists left are {self.left}")
        self._is_over = not self.are_heats or len(self._finalists) == 1
        self._scores[workflow_id] = score

    def forget(self, workflow_id: int) -> None:
        """Forget what a finalist came to: its policy is another one by now."""
        if workflow_id in self._scores:
            self._scores[workflow_id] = None

    @property
    def ranking(self) -> list[tuple[int, Score]]:
        """Finalists that count, by its latest score: the highest greedy env reward first, equals in their order."""
        scores = [(w, self._scores.get(w)) for w in self._finalists]
        return sorted(((w, score) for w, score in scores if score is not None), key=lambda each: -_greedy(each[1]))

    def state(self) -> dict[str, Any]:
        """Return everything as what JSON can hold, for `from_state`; floats survive exactly."""
        return {
            "finalists": list(self._finalists),
            "num_episodes": self._num_episodes,
            "champion": self.champion,
            "scores": [
                {"workflow_id": w, "score": None if score is None else asdict(score)}
                for w, score in sorted(self._scores.items())
            ],
            "is_over": self._is_over,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return finals that go on from `state()`.

        Raises:
            KeyError: Something is missing from the state.
            ValueError: A value in it can't be.
        """
        finals = cls(state["finalists"], state["num_episodes"], state["champion"])
        for each in state["scores"]:
            if each["workflow_id"] not in finals.left:
                raise ValueError(f"workflow {each['workflow_id']} is no finalist, or has two scores")
            finals._scores[each["workflow_id"]] = None if each["score"] is None else score_from(each["score"])
        finals._is_over = bool(state["is_over"])
        return finals


def finalists(
    values: npt.NDArray[np.float64], observed: Collection[int], first: Sequence[int], num: int
) -> tuple[int, ...]:
    """Return who should be in the finals, the most promising first.

    One after the other, whoever adds most to the expected value of the best finalist: an order that is likely to be
    good, and to be so where the others are not. Adding one at a time comes to within a factor of `1 - 1/e` of the best
    choice (Nemhauser, Wolsey and Fisher, 1978), for the expected maximum is submodular.

    Args:
        values: `[num_samples, 120]` float64, points: what orders may be worth, sampled together.
        observed: Workflows whose policies reached the compliance threshold.
        first: Who is in them anyway; at least one.
        num: Finalists at most, `>= 1`; fewer if nobody else adds `MIN_GAIN`.
    """
    chosen = list(dict.fromkeys(first))[:num]
    best = values[:, chosen].max(axis=1)  # [num_samples]
    while len(chosen) < num and (others := sorted(set(observed) - set(chosen))):
        gains = np.maximum(values[:, others] - best[:, None], 0).mean(axis=0)  # [others]
        if gains.max() < MIN_GAIN:
            break
        chosen.append(others[int(gains.argmax())])  # the lowest id of equals
        best = np.maximum(best, values[:, chosen[-1]])
    return tuple(chosen)


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
