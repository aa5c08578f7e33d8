"""Which of its training episodes a policy learned from in an update: what the run's log says of it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from pipeline.observe.csv_log import TRAINING_LOG
from pipeline.persist.files import read_bytes
from pipeline.policy.params import SHARED_POLICY
from pipeline.replay.errors import ReplayError

if TYPE_CHECKING:
    from pathlib import Path


def training_index(run_dir: Path, workflow_id: int, update: int, row: int) -> int:
    """Return the index of an episode of training among its order's, from 0.

    Args:
        run_dir: The run's folder.
        workflow_id: The order, 0 to 119. If its policy was begun anew, its latest training counts.
        update: Of the policy's own, from 0.
        row: Of the update's batch, from 0.

    Raises:
        ReplayError: The log has no such update, the batch no such row, or the log can't be read.
    """
    path = run_dir / TRAINING_LOG
    try:
        lines = list(csv.DictReader(io.StringIO(read_bytes(path).decode(), newline="")))
        updates = {(int(line["Workflow_ID"]), int(line["Update"])): int(line["Episodes"]) for line in lines}
    except OSError as error:
        raise ReplayError(f"can't read {path}: {error.strerror}") from None
    except (KeyError, TypeError, ValueError):
        raise ReplayError(f"{path} is damaged, or of another version") from None
    if any(policy == SHARED_POLICY for policy, _ in updates):
        raise ReplayError(
            f"{run_dir} has one policy for all orders, whose batches are of many: give an episode instead"
        )
    if (workflow_id, update) not in updates:
        raise ReplayError(f"{path} has no update {update} of the order that is played: its updates count from 0")
    if row >= (size := updates[workflow_id, update]):
        raise ReplayError(f"update {update} learned from {size} episodes: its rows are 0 to {size - 1}")
    return row + sum(size for (policy, before), size in updates.items() if policy == workflow_id and before < update)
