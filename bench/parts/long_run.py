"""The folder of a run as long as one likes, without the training: logs of the form that a run writes, at any length."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, order_name
from pipeline.config import Config
from pipeline.observe.csv_log import GP_SAMPLING_COLUMNS, GP_SAMPLING_LOG, TRAINING_COLUMNS, TRAINING_LOG
from pipeline.observe.logs import EVENT_LOG
from pipeline.persist.runs import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

EPISODES_PER_UPDATE = 64
EPISODES_PER_VISIT = 2048
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def write_long_run(log_dir: Path, name: str, num_episodes: int) -> Path:
    """Write what a run of so many episodes leaves: one visit after the other, of one order after the other.

    Args:
        log_dir: Where its folder is made.
        name: The folder's.
        num_episodes: About; a multiple of `EPISODES_PER_UPDATE` is written.

    Returns:
        The folder.
    """
    folder = RunFolder.create(Config(log_dir=log_dir, run_name=name, total_episodes=num_episodes, finals_share=0))
    folder.close()
    rng = np.random.default_rng(0)
    per_visit = EPISODES_PER_VISIT // EPISODES_PER_UPDATE
    updates, picks, events = [",".join(TRAINING_COLUMNS)], [",".join(GP_SAMPLING_COLUMNS)], [_event("run_started", 0)]
    events[0]["resumed"] = False
    for number in range(num_episodes // EPISODES_PER_UPDATE):
        visit, update = divmod(number, per_visit)
        workflow_id, total, at_s = visit % NUM_WORKFLOWS, (number + 1) * EPISODES_PER_UPDATE, number * 0.2
        order = order_name(workflow_id)
        reward, stderr = -100 + 80 * update / per_visit + rng.normal(0, 3), 1.2345
        if update == 0:
            start = {"iteration": visit, "workflow_id": workflow_id, "workflow_order": order, "part": "search"}
            events.append({**start, **_event("workflow_started", at_s)})
        updates.append(
            f"{workflow_id},{order},{update},{EPISODES_PER_UPDATE},{reward:.4f},25.1234,{reward + 25.1234:.4f},0.8374,"
            f"24.22,0.137,0.539,{stderr:.4f},{total},-0.018538,0.000222,0.4357,0.004972,0.0625,6,0.000533714"
        )
        fields = {
            "update": update,
            "workflow_id": workflow_id,
            "workflow_order": order,
            "num_episodes": EPISODES_PER_UPDATE,
            "total_episodes": total,
            "env_reward_mean": round(reward, 4),
            "env_reward_stderr": stderr,
            "alignment_bonus": 25.1234,
            "compliance": 0.8374,
            "policy_loss": -0.018538,
            "value_loss": 0.000222,
            "entropy": 0.4357,
            "approx_kl": 0.004972,
        }
        events.append({**fields, **_event("update_result", at_s)})
        if update == per_visit - 1:
            picks.append(
                f"{visit},{order},-20.1,{reward:.4f},0.9700,{EPISODES_PER_VISIT},True,0.4000,threshold,search,{total},"
                f"200,{reward + 1:.4f},0.3000,0.9900"
            )
            finished = {"workflow_id": workflow_id, "iteration": visit, "workflow_order": order}
            events.append({**finished, **_event("workflow_finished", at_s)})
    (folder.path / TRAINING_LOG).write_text("\n".join(updates) + "\n")
    (folder.path / GP_SAMPLING_LOG).write_text("\n".join(picks) + "\n")
    with (folder.path / EVENT_LOG).open("w") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)
    return folder.path


def _event(name: str, at_s: float) -> dict[str, object]:
    at = (BEGAN + timedelta(seconds=at_s)).isoformat().replace("+00:00", "Z")
    return {"event": name, "level": "info", "timestamp": at}
