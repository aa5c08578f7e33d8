from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("tensorboard")
from pipeline.observe.track.tensorboard import TensorBoardTracker

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own


def plotted(run_dir: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(run_dir / "tensorboard"))
    accumulator.Reload()
    return {
        tag: [(point.step, point.value) for point in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]
    }


def test_scalars_are_plotted_by_the_runs_episodes(tmp_path: Path) -> None:
    tracker = TensorBoardTracker(tmp_path)
    tracker.log({"episode/compliance": 0.5, "episode/env_reward": -20.25}, 128)
    tracker.log({"episode/compliance": 0.75}, 256)
    tracker.close()
    assert plotted(tmp_path) == {
        "episode/compliance": [(128, 0.5), (256, 0.75)],
        "episode/env_reward": [(128, -20.25)],
    }


def test_resuming_hides_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    tracker = TensorBoardTracker(tmp_path)
    for total in (32, 64, 96):
        tracker.log({"episode/compliance": 0.5}, total)
    tracker.close()
    resumed = TensorBoardTracker(tmp_path, total_episodes=64)
    resumed.log({"episode/compliance": 0.5}, 80)
    resumed.close()
    assert [step for step, _ in plotted(tmp_path)["episode/compliance"]] == [32, 64, 80]
