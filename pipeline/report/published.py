"""Scores that others have published, as their sources have them: none of these was played here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import Profile

LEADERBOARD: Final = "https://github.com/cage-challenge/cage-challenge-2"
"""The contest's final leaderboard: 1,000 episodes each, `random.seed(153)`, intervals of 95 %."""
CARDIFF: Final = "https://github.com/john-cardiff/-cyborg-cage-2"
CARDIFF_ON_HEAD: Final = "https://github.com/siljakluge/BACD-llm"
CASTLE_GT: Final = "https://github.com/emmagg6/CASTLE-GT/tree/main/RL/cc2-agents"


@dataclass(frozen=True)
class Score:
    """A published score."""

    name: str
    source: str
    """Address of the README that has it."""
    game: Profile | None
    """On which it was measured; None where it is neither for certain."""
    means: tuple[float, ...]
    """`[9]`, of the scenarios in the order of the protocol: 30, 50 and 100 steps against B_line, Meander and Sleep."""
    total: float
    half_width: float | None = None
    """Of the total's interval of 95 %; None where none is told."""
    rank: int | None = None
    """On the contest's leaderboard."""
    note: str | None = None


def _ranked(rank: int, name: str, total: float, half_width: float, *means: float) -> Score:
    return Score(name, LEADERBOARD, "leaderboard", means, total, half_width, rank)


SCORES: Final = (
    _ranked(1, "CardiffUni: PPO + Greedy Decoys", -54.57, 0.43, -3.47, -5.64, 0, -6.41, -8.69, 0, -13.76, -16.6, 0),
    _ranked(
        2, "Keeping it RL: Ensemble of Ensembles", -56.9, 0.59, -3.48, -6.47, 0, -5.85, -10.33, 0, -11.39, -19.38, 0
    ),
    _ranked(3, "Mindrake: HIPPO Float Observations", -57.05, 0.56, -3.53, -6.76, 0, -6.2, -10.13, 0, -12.78, -17.65, 0),
    _ranked(
        *(13, "CCS RL Benchmark: PPO", -95.47, 1.36),
        *(-8.75, -7.31, -0.01, -14.92, -12.04, -0.01, -30.19, -22.21, -0.03),
    ),
    _ranked(
        *(15, "Reward is not Enough: ACME IMPALA", -122.91, 1.11),
        *(-6, -9.27, -0.12, -10.25, -22.27, -0.16, -19.72, -54.79, -0.33),
    ),
    Score(
        "UTS_CIBCI: Ensembled DDDQN",
        LEADERBOARD,
        "leaderboard",
        (-5.87, -10.93, 0, -10.82, -26.29, 0, -23.96, -67.89, 0),
        -154.71,
        1.95,
        17,
        "as published: the nine means add up to -145.76",
    ),
    _ranked(
        *(18, "CCS Heuristic: Blue React Restore", -823.89, 1.03),
        *(-58.83, -44.29, -27, -93.05, -85.75, -46, -184.34, -192.63, -92),
    ),
    _ranked(
        *(19, "CCS Random: Random Agent", -2015.61, 30.93),
        *(-154.06, -33.43, -2.8, -347.1, -171.49, -4.45, -726.92, -566.41, -8.94),
    ),
    _ranked(
        *(20, "CCS Sleeper: Sleeping Agent", -3112.2, 6.67),
        *(-218.65, -39.31, 0, -480.17, -267.6, 0, -1134.03),
        *(-972.43, 0),
    ),
    Score(
        "Cardiff's agent, by its own README",
        CARDIFF,
        "leaderboard",
        (-3.4108, -5.539, 0, -6.3438, -8.8347, 0, -13.2378, -16.2844, 0),
        -53.6505,
        note="1,000 episodes, `random.seed(0)`",
    ),
    Score(
        "Cardiff's agent, unchanged",
        CARDIFF_ON_HEAD,
        "head",
        (-5.3542, -5.537, 0, -12.9564, -8.8237, 0, -36.8911, -16.4722, 0),
        -86.0346,
        note="played by others, as the example in their README",
    ),
    Score(
        "CASTLE-GT: PPO",
        CASTLE_GT,
        None,
        (-5.4178, -8.5851, 0, -9.4389, -13.4294, 0, -20.4854, -25.7492, 0),
        -83.1058,
        note="on an edited CybORG",
    ),
)
