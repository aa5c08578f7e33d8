"""A run on MLflow, behind the `mlflow` extra."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from pipeline.observe.track.told import Told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EXPERIMENT = "cage2-pipeline"
"""Where runs go if `MLFLOW_EXPERIMENT_NAME` names no other."""
_FOLDER = "mlflow"
_MAX_VALUE = 500
"""Characters of a parameter that every backend of MLflow's takes."""


class MlflowTracker:
    """Sends scalars to the server that `MLFLOW_TRACKING_URI` names, or keeps them in a database in the run's folder.

    That is looked at with `mlflow ui --backend-store-uri sqlite:///logs/RUN/mlflow/mlflow.db`. A run that is resumed
    goes on as the same run there.

    Args:
        run_dir: The run's folder.
        configuration: What is shown as the run's parameters.

    Raises:
        WriteError: What was told before can't be read.
        mlflow.exceptions.MlflowException: The server can't be reached, or refuses.
    """

    def __init__(self, run_dir: Path, configuration: Mapping[str, Any]) -> None:
        folder = run_dir / _FOLDER
        folder.mkdir(exist_ok=True)
        self._told = Told(folder / "told")
        is_own = "MLFLOW_TRACKING_URI" not in os.environ
        self._client = MlflowClient(f"sqlite:///{folder.resolve()}/mlflow.db" if is_own else None)
        if self._told.tracker_id:
            self._run_id = self._told.tracker_id
            self._client.update_run(self._run_id, "RUNNING")
            return
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        experiment = self._client.get_experiment_by_name(name)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(name)
        self._run_id = self._client.create_run(experiment_id, run_name=run_dir.name).info.run_id
        self._told.begin(self._run_id)
        params = [Param(key, str(value)[:_MAX_VALUE]) for key, value in configuration.items()]
        self._client.log_batch(self._run_id, params=params)

    def log(self, scalars: Mapping[str, float], total_episodes: int) -> None:
        """Send scalars, unless they were sent before the run was resumed."""
        if self._told.is_new(total_episodes):
            now_ms = time.time_ns() // 1_000_000
            metrics = [Metric(name, value, now_ms, total_episodes) for name, value in scalars.items()]
            self._client.log_batch(self._run_id, metrics=metrics)

    def close(self) -> None:
        """Say that the run has ended."""
        self._client.set_terminated(self._run_id)
        self._told.close()
