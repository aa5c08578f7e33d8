"""The pipeline's workers with the prototype's transport: weights pickled into each task, lists pickled back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.compliance import Compromised
from pipeline.cage2.cyborg_env import CyborgEnv
from pipeline.cage2.spec import EPISODE_STEPS
from pipeline.collect.episode import play_episode
from pipeline.collect.record import record_layout
from pipeline.policy.forward import NumpyActor
from pipeline.workflows.orders import ORDERS, one_hot

if TYPE_CHECKING:
    import numpy.typing as npt

_env: CyborgEnv | None = None


def initialize(red_agent: str) -> None:
    """Build the worker's environment, once."""
    global _env  # a process is one worker
    _env = CyborgEnv(red_agent)


def play(
    weights: npt.NDArray[np.float32], workflow_id: int, environment_seed: int, actions_seed: int
) -> dict[str, list[Any]]:
    """Play one episode; return its record as lists."""
    assert _env is not None, "initialize has run"  # noqa: S101
    record = {field.name: np.empty(field.shape, field.dtype) for field in record_layout(EPISODE_STEPS).fields}
    play_episode(
        _env,
        NumpyActor(weights, one_hot(workflow_id)),
        tuple(ORDERS[workflow_id].tolist()),
        Compromised.FIXABLE,
        environment_seed=environment_seed,
        actions_seed=actions_seed,
        record=record,
    )
    return {name: array.tolist() for name, array in record.items()}
