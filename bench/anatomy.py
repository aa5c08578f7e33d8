"""Where an episode's time goes in a worker: the rollout's calls, timed one by one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from native_buffers.ring import EpisodeRing
from pipeline import seeding
from pipeline.cage2.compliance import Compromised
from pipeline.cage2.cyborg_env import CyborgEnv
from pipeline.cage2.spec import EPISODE_STEPS
from pipeline.collect import episode
from pipeline.collect.record import HEADER, record_layout
from pipeline.policy import network
from pipeline.policy.forward import NumpyActor
from pipeline.workflows.orders import ORDERS, one_hot

if TYPE_CHECKING:
    from collections.abc import Callable

WORKFLOW_ID = 65


def measure(red_agent: str, num_episodes: int) -> dict[str, float]:
    """Return milliseconds per episode by what they are spent on; `rest` is the loop and the writing of the slot."""
    clock: dict[str, float] = {}
    env = CyborgEnv(red_agent)
    actor = NumpyActor(network.create(0, "orthogonal").actor_weights(), one_hot(WORKFLOW_ID))
    env.reset = _timed(clock, "reset", env.reset)  # type: ignore[method-assign]  # that is what timing takes
    env.step = _timed(clock, "game", env.step)  # type: ignore[method-assign]
    actor.sample = _timed(clock, "policy", actor.sample)  # type: ignore[method-assign]
    kept = episode.judge, episode.compromised_types
    episode.judge = _timed(clock, "compliance", episode.judge)
    episode.compromised_types = _timed(clock, "compliance", episode.compromised_types)
    environment, actions = seeding.episode_seeds(0, WORKFLOW_ID, np.arange(num_episodes))
    try:
        with EpisodeRing.create(HEADER, record_layout(EPISODE_STEPS), 1) as ring:
            begin_s = time.perf_counter()
            for index in range(num_episodes):
                episode.play_episode(
                    env,
                    actor,
                    tuple(ORDERS[WORKFLOW_ID].tolist()),
                    Compromised.FIXABLE,
                    environment_seed=int(environment[index]),
                    actions_seed=int(actions[index]),
                    record=ring.record(0),
                )
            whole_s = time.perf_counter() - begin_s
    finally:
        episode.judge, episode.compromised_types = kept
    clock["rest"] = whole_s - sum(clock.values())
    return {name: seconds / num_episodes * 1e3 for name, seconds in clock.items()}


def _timed(clock: dict[str, float], name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    clock.setdefault(name, 0.0)

    def timed(*arguments: Any, **keywords: Any) -> Any:
        begin_s = time.perf_counter()
        result = call(*arguments, **keywords)
        clock[name] += time.perf_counter() - begin_s
        return result

    return timed
