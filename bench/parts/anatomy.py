"""Where an episode's time goes in a worker: the rollout's calls, timed one by one."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from native_buffers.ring import EpisodeRing
from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.orders import ORDERS
from pipeline.cage2.facts.spec import EPISODE_STEPS, OBSERVATION_SIZE
from pipeline.play.episode import play_episode
from pipeline.play.record import HEADER, record_layout
from pipeline.play.rollout import EnginePlayer, warm_up
from pipeline.policy import network
from pipeline.policy.forward import Actor
from pipeline.policy.params import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

WORKFLOW_ID = 65


def measure(engine: str, red_agent: str, num_episodes: int) -> dict[str, float]:
    """Return milliseconds per episode by what they are spent on.

    With CybORG `rest` is the loop, compliance and the writing of the slot. The fast engine's rollout is one kernel;
    `bench/engine.py` takes it apart.
    """
    actor = Actor(network.create(np.random.default_rng(0), "orthogonal", PLAIN).actor_weights(), PLAIN)
    verdicts = Verdicts(ORDERS[WORKFLOW_ID].tolist(), Compromised.FIXABLE)
    seeds = [part.tolist() for part in seeding.episode_seeds(0, WORKFLOW_ID, np.arange(num_episodes))]
    with EpisodeRing.create(HEADER, record_layout(EPISODE_STEPS, OBSERVATION_SIZE), 1) as ring:

        def play_all(play: Callable[..., None]) -> float:
            begin_s = time.perf_counter()
            for environment_seed, actions_seed in zip(*seeds, strict=True):
                play(
                    actor,
                    verdicts,
                    workflow_id=WORKFLOW_ID,
                    environment_seed=environment_seed,
                    actions_seed=actions_seed,
                    record=ring.record(0),
                )
            return (time.perf_counter() - begin_s) / num_episodes * 1e3

        if engine == "fast":
            player = EnginePlayer(red_agent, "head", Interface())
            warm_up()
            return {"rollout kernel": play_all(player.play)}
        clock: dict[str, float] = {}
        env = CyborgEnv(red_agent)
        warm_up()
        env.reset = _timed(clock, "reset", env.reset)  # type: ignore[method-assign]  # that is what timing takes
        env.step = _timed(clock, "game", env.step)  # type: ignore[method-assign]
        actor.sample = _timed(clock, "policy", actor.sample)  # type: ignore[method-assign]
        whole_ms = play_all(partial(play_episode, env, Memory(Interface())))
    parts = {name: seconds / num_episodes * 1e3 for name, seconds in clock.items()}
    return {**parts, "rest": whole_ms - sum(parts.values())}


def _timed(clock: dict[str, float], name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    clock.setdefault(name, 0.0)

    def timed(*arguments: Any, **keywords: Any) -> Any:
        begin_s = time.perf_counter()
        result = call(*arguments, **keywords)
        clock[name] += time.perf_counter() - begin_s
        return result

    return timed
