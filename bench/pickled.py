"""The pipeline's workers with the prototype's transport: weights pickled into each task, lists pickled back."""

from __future__ import annotations

from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.compliance import Compromised, Verdicts
from pipeline.cage2.cyborg_env import CyborgEnv
from pipeline.cage2.spec import EPISODE_STEPS
from pipeline.collect.episode import play_episode
from pipeline.collect.record import record_layout
from pipeline.collect.rollout import EnginePlayer
from pipeline.policy.forward import Actor
from pipeline.workflows.orders import ORDERS, one_hot

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

_play: Callable[..., None] | None = None


def initialize(engine: str, red_agent: str) -> None:
    """Build the worker's environment, once."""
    global _play  # a process is one worker
    _play = EnginePlayer(red_agent, "head").play if engine == "fast" else partial(play_episode, CyborgEnv(red_agent))


def play(
    weights: npt.NDArray[np.float32], workflow_id: int, environment_seed: int, actions_seed: int
) -> dict[str, list[Any]]:
    """Play one episode; return its record as lists."""
    assert _play is not None, "initialize has run"  # noqa: S101
    record = {field.name: np.empty(field.shape, field.dtype) for field in record_layout(EPISODE_STEPS).fields}
    _play(
        _actor(weights.tobytes(), workflow_id),
        _verdicts(workflow_id),
        environment_seed=environment_seed,
        actions_seed=actions_seed,
        record=record,
    )
    return {name: array.tolist() for name, array in record.items()}


@lru_cache(maxsize=4)
def _actor(weights: bytes, workflow_id: int) -> Actor:
    """Keep what the policy has computed from task to task, as the pipeline's workers do."""
    return Actor(np.frombuffer(weights, np.float32), one_hot(workflow_id))


@cache
def _verdicts(workflow_id: int) -> Verdicts:
    return Verdicts(ORDERS[workflow_id].tolist(), Compromised.FIXABLE)
