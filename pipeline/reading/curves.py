"""The learning curves of a run: `training_log.csv` as columns, row by row assigned to visits, thinned for pictures.

```
row, row, row, row, row   of a visit, one per update
|--- k ---||--- k ---|..  k = 1, 2, 4, ...: a point is the mean over k updates, weighted by their episodes
```

Points stay where they are while a curve grows, but for the last one, until there are too many: then `k` doubles. So
whoever has seen a curve needs only what came since.
"""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.observe.csv_log import TRAINING_LOG
from pipeline.policy.params import SHARED_POLICY
from pipeline.reading.columns import Columns
from pipeline.reading.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from pipeline.reading.visits import EndedVisits

MEANS: Final[Mapping[str, str]] = {
    "env_reward": "Env_Reward",
    "alignment_bonus": "Alignment_Bonus",
    "total_reward": "Total_Reward",
    "compliance": "Compliance",
    "avg_fixes": "Avg_Fixes",
    "policy_loss": "Policy_Loss",
    "value_loss": "Value_Loss",
    "entropy": "Entropy",
    "approx_kl": "Approx_KL",
    "clip_fraction": "Clip_Fraction",
    "learning_rate": "Learning_Rate",
    "collection_s": "Collection_Time",
    "update_s": "Update_Time",
}
"""What a point has means of, and the columns that it is in; but for the last two as `UpdateResult` calls them."""
PLACES: Final = ("total_episodes", "visit_episodes", "update")
"""What a point is placed by: means over its updates as well, each at its end."""
WORKFLOW_IDS: Final = range(SHARED_POLICY + 1)
_STDERR: Final = "Env_Reward_Stderr"
_COLUMNS: Final = ("Workflow_ID", "Update", "Episodes", "Total_Episodes", _STDERR, *MEANS.values())


@dataclass(slots=True)
class Visit:
    """A visit's updates."""

    index: int
    """Among all visits, in the order in which their first updates came, from 0."""
    workflow_id: int
    ended: int | None = None
    """Index among `EndedVisits.visits`; None while it goes on."""
    rows: array[int] = field(default_factory=lambda: array("q"))
    """Rows of the log."""


@dataclass(frozen=True, slots=True)
class Points:
    """Points of a curve from `first` on."""

    updates_per_point: int
    first: int
    columns: Mapping[str, npt.NDArray[np.float64]]
    """Of `MEANS`, `PLACES`, `env_reward_stderr` and `episodes` (of the point, in all): `[num]` float64."""


class Curves:
    """The curves of a run, as far as they have been read.

    Args:
        run_dir: The run's folder.
        ended: Its visits that are over: read here, after the updates.
    """

    def __init__(self, run_dir: Path, ended: EndedVisits) -> None:
        self._tail = Tail(run_dir / TRAINING_LOG)
        self._ended = ended
        self._rows = Columns(_COLUMNS)
        self.generation = 0
        """How often what had been read was no longer there."""
        self._num_too_long = 0
        self._assign_anew()

    @property
    def num_rows(self) -> int:
        """Updates."""
        return len(self._rows)

    @property
    def num_damaged(self) -> int:
        """Lines of the log that were left out."""
        return self._rows.num_damaged + self._num_too_long + self._num_of_none

    def refresh(self) -> None:
        """Read what was written since.

        Raises:
            OSError: As `Tail.pieces`.
        """
        is_anew = False
        for piece in self._tail.pieces():
            if piece.is_anew:
                is_anew = True
                self._rows.clear()
                self._num_too_long = 0
            self._num_too_long += piece.num_too_long
            self._rows.extend(piece.lines)
        # an update is written before the visit's end: after the updates, all ends that they can come after are read
        is_anew |= self._ended.refresh()
        if is_anew:
            self.generation += 1
            self._assign_anew()
        self._assign()

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column of the log, `[n]` float64, by its name there."""
        return self._rows.column(name)

    def points(self, visit: Visit, most: int, since: tuple[int, int] = (0, 0)) -> Points | None:
        """Return a visit's curve, or what is new of it.

        Args:
            visit: One of `visits`.
            most: Points that the curve may have, `>= 2`.
            since: What is known of it: updates per point, and updates in all; `(0, 0)` for nothing.

        Returns:
            None if nothing is new.
        """
        num_rows = len(visit.rows)
        k = updates_per_point(num_rows, most)
        if since == (k, num_rows) or not num_rows:
            return None
        first = since[1] // k if since[0] == k else 0
        rows = np.array(visit.rows[first * k :])
        starts = np.arange(0, len(rows), k)
        episodes = self._rows.column("Episodes")[rows]
        weight = np.maximum(np.add.reduceat(episodes, starts), 1)
        before = self._rows.column("Episodes")[np.array(visit.rows[: first * k], np.int64)].sum()
        places = {
            "total_episodes": self._rows.column("Total_Episodes")[rows],
            "visit_episodes": before + np.cumsum(episodes),
            "update": self._rows.column("Update")[rows],
        }
        means = {name: self._rows.column(column)[rows] for name, column in MEANS.items()}
        columns = {
            name: np.add.reduceat(values * episodes, starts) / weight for name, values in {**places, **means}.items()
        }
        squares = np.square(self._rows.column(_STDERR)[rows] * episodes)
        return Points(
            k,
            first,
            {
                **columns,
                "env_reward_stderr": np.sqrt(np.add.reduceat(squares, starts)) / weight,
                "episodes": weight,
            },
        )

    def _assign_anew(self) -> None:
        self.visits: list[Visit] = []
        """In the order in which their first updates came."""
        self._open: dict[int, Visit] = {}
        """The visit of each workflow that is not known to be over."""
        self._ends: dict[int, deque[tuple[int, int]]] = defaultdict(deque)
        """Of each workflow: where visits ended, in episodes of the run, and which, that are not assigned yet."""
        self._num_assigned = self._num_ends = self._num_of_none = 0

    def _assign(self) -> None:
        """Assign new rows to visits, and ends to the visits that they are of."""
        for index in range(self._num_ends, len(self._ended.visits)):
            ended = self._ended.visits[index]
            self._ends[ended.workflow_id].append((ended.total_episodes, index))
        self._num_ends = len(self._ended.visits)
        totals = self._rows.column("Total_Episodes")
        for workflow_id, rows in self._new_stretches(totals):
            self._close(workflow_id, up_to=totals[rows[0]] - 1)
            visit = self._open.get(workflow_id)
            if visit is None:
                visit = self._open[workflow_id] = Visit(len(self.visits), workflow_id)
                self.visits.append(visit)
            visit.rows.extend(rows)
        self._num_assigned = len(self._rows)
        for workflow_id, visit in list(self._open.items()):
            self._close(workflow_id, up_to=totals[visit.rows[-1]])

    def _new_stretches(self, totals: npt.NDArray[np.float64]) -> list[tuple[int, list[int]]]:
        """Return the rows that are not assigned yet: a workflow's in one visit each, the earliest first."""
        new = self._rows.column("Workflow_ID")[self._num_assigned :]
        stretches = []
        for workflow_id in np.intersect1d(new, WORKFLOW_IDS).astype(int).tolist():
            rows = self._num_assigned + np.flatnonzero(new == workflow_id)
            num_ended = np.searchsorted([end for end, _ in self._ends[workflow_id]], totals[rows])
            cuts = np.flatnonzero(np.diff(num_ended)) + 1
            stretches += [(workflow_id, each.tolist()) for each in np.split(rows, cuts)]
        self._num_of_none += len(new) - sum(len(rows) for _, rows in stretches)
        return sorted(stretches, key=lambda each: each[1][0])

    def _close(self, workflow_id: int, up_to: float) -> None:
        """Close a workflow's visit if it ended, with no more episodes of the run than these."""
        ends = self._ends.get(workflow_id)
        while ends and ends[0][0] <= up_to:
            _, index = ends.popleft()
            visit = self._open.pop(workflow_id, None)
            if visit is not None:
                visit.ended = index


def updates_per_point(num_updates: int, most: int) -> int:
    """Return the least power of two that leaves at most `most` points."""
    k = 1
    while -(-num_updates // k) > most:
        k *= 2
    return k
