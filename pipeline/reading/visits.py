"""The visits of a run as its logs have them: `gp_sampling_log.csv` says how each ended, and what came of it."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, order_name
from pipeline.observe.csv_log import GP_SAMPLING_LOG
from pipeline.policy.params import SHARED_POLICY
from pipeline.reading.tail import Tail
from pipeline.types import Estimate, Score

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IDS: Final[Mapping[str, int]] = {
    **{order_name(workflow_id): workflow_id for workflow_id in range(NUM_WORKFLOWS)},
    "all orders": SHARED_POLICY,
}
"""By what a policy is called in the log."""


@dataclass(frozen=True, slots=True)
class EndedVisit:
    """A visit that is over."""

    iteration: int
    """Of the search, from 0; visits end in another order if there are several at a time."""
    workflow_id: int
    """120: the policy of all orders."""
    part: str
    """`search` or `finals`."""
    reason: str
    """`VisitEnd`."""
    ucb_score: float
    """Points; NaN while the search had nothing to go by."""
    num_episodes: int
    """Trained in it."""
    total_episodes: int
    """That the run had used when it ended."""
    gp_updated: bool
    score: Score


class EndedVisits:
    """The visits that are over, in the order in which they ended, as far as they have been read.

    Args:
        run_dir: The run's folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self._tail = Tail(run_dir / GP_SAMPLING_LOG)
        self._clear()

    def refresh(self) -> bool:
        """Read what was written since.

        Returns:
            Whether what was read before is no longer there.

        Raises:
            OSError: As `Tail.pieces`.
        """
        is_anew = False
        for piece in self._tail.pieces():
            if piece.is_anew:
                self._clear()
                is_anew = True
            self.num_damaged += piece.num_too_long
            for line in piece.lines:
                self._take(line)
        return is_anew

    def _clear(self) -> None:
        self.visits: list[EndedVisit] = []
        self.num_damaged = 0
        """Lines that were left out."""
        self._header: list[str] | None = None

    def _take(self, line: bytes) -> None:
        try:
            fields = next(csv.reader([line.decode()], strict=True), [])
            if self._header is None:
                self._header = fields
            else:
                self.visits.append(_visit(dict(zip(self._header, fields, strict=True))))
        except (csv.Error, ValueError, KeyError, OverflowError):
            self.num_damaged += 1


def _visit(row: Mapping[str, str]) -> EndedVisit:
    greedy = _number(row["Greedy_Env_Reward"]) if row["Greedy_Env_Reward"] else None
    return EndedVisit(
        iteration=int(row["Iteration"]),
        workflow_id=_IDS[row["Workflow"]],
        part=row["Part"],
        reason=row["Reason"],
        ucb_score=_number(row["UCB_Score"]) if row["UCB_Score"] else math.nan,
        num_episodes=int(row["Episodes_Trained"]),
        total_episodes=int(row["Total_Episodes"]),
        gp_updated=row["GP_Updated"] == "True",
        score=Score(
            num_evaluated=int(row["Evaluation_Episodes"]),
            env_reward=Estimate(_number(row["Reward"]), _number(row["Env_Reward_Stderr"])),
            compliance=_number(row["Final_Compliance"]),
            greedy_env_reward=None if greedy is None else Estimate(greedy, _number(row["Greedy_Env_Reward_Stderr"])),
            greedy_compliance=_number(row["Greedy_Compliance"]) if row["Greedy_Compliance"] else None,
        ),
    )


def _number(text: str) -> float:
    """Return a number that can be one of an evaluation.

    Raises:
        ValueError: It is none.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no result")
    return number
