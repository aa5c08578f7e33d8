from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from pipeline.limits.process import Decision, Outcome, Solution


class Drawn:
    """A process of ten states, whose numbers are drawn."""

    start = 0

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._decisions = {
            state: [Decision(float(rng.integers(12)), int(rng.integers(15))) for _ in range(rng.integers(1, 4))]
            for state in range(10)
        }
        self._outcomes = {}
        for after in range(15):
            weights = rng.random(rng.integers(1, 5)).tolist()
            self._outcomes[after] = [
                Outcome(
                    weight / sum(weights), float(rng.integers(12)), int(rng.integers(10)), int(rng.choice((0, 1, 10)))
                )
                for weight in weights
            ]

    def decisions(self, state: int) -> list[Decision]:
        return self._decisions[state]

    def outcomes(self, after: int) -> list[Outcome]:
        return self._outcomes[after]

    def optimum(self, state: int, steps_left: int) -> float:
        """Return the value in tenths, by its definition."""

        @cache
        def value(state: int, left: int) -> float:
            return (
                max(-decision.cost + mean(decision.after, left) for decision in self._decisions[state]) if left else 0
            )

        def mean(after: int, left: int) -> float:
            return sum(
                each.probability * (value(each.state, left - 1) - each.cost - min(10, each.owed * (left - 1)))
                for each in self._outcomes[after]
            )

        return value(state, steps_left)


@pytest.mark.parametrize("seed", range(10))
def test_a_solution_is_the_optimum_by_its_definition(seed: int) -> None:
    process = Drawn(seed)
    solution = Solution(process, 6)
    for steps_left in range(7):
        assert solution.value(0, steps_left) == pytest.approx(process.optimum(0, steps_left) / 10, abs=1e-12)


def test_its_decision_is_the_first_of_the_best() -> None:
    class Chosen(Drawn):
        def decisions(self, state: int) -> list[Decision]:
            del state
            return [Decision(3, 0), Decision(2, 0), Decision(2, 1)]

        def outcomes(self, after: int) -> list[Outcome]:
            del after
            return [Outcome(1.0, 0, 0)]

    solution = Solution(Chosen(0), 3)
    assert solution.decision(0, 2) == Decision(2, 0)
    assert solution.value(0, 3) == pytest.approx(-0.6)
    assert len(solution) == 1


def test_what_is_missing_in_probabilities_is_noticed() -> None:
    class Leaking(Drawn):
        def outcomes(self, after: int) -> list[Outcome]:
            return super().outcomes(after)[:1]

    with pytest.raises(ValueError, match="not to 1"):
        Solution(Leaking(0), 1)
