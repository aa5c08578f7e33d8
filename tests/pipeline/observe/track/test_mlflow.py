from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of what MLflow calls; the program tells none of them
    pytest.mark.timeout(300),  # it makes a database by a hundred migrations
]


def test_without_a_server_points_are_kept_and_a_resumed_run_doubles_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")  # here, for it takes seconds of each process that collects tests
    from pipeline.observe.track.mlflow import EXPERIMENT, MlflowTracker

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    tracker = MlflowTracker(run_dir, {"seed": 5, "log_dir": "x" * 10_000})
    for total in (32, 64, 96):
        tracker.log({"episode/compliance": total / 128, "losses/policy": 0.5}, total)
    tracker.close()
    resumed = MlflowTracker(run_dir, {"seed": 5})
    for total in (64, 96, 128):
        resumed.log({"episode/compliance": total / 128}, total)
    resumed.close()

    client = mlflow.MlflowClient(f"sqlite:///{run_dir}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.params["seed"] == "5"
    assert run.info.status == "FINISHED"
    points = [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, "episode/compliance")]
    assert points == [(total, total / 128) for total in (32, 64, 96, 128)]
