"""Steps per second on one core: CybORG, CybORG behind its own wrapper, and the engine.

    python bench/engine.py
    python bench/engine.py --red B_lineAgent --seconds 5 --json

Everything plays episodes of 100 steps, resets and seeding included, in one thread, one after the other, so the ratios
are those of one run. Blue's actions are uniformly random and drawn beforehand; where there is a policy, they are
sampled from an actor with untrained weights, which meets far more distinct observations than a trained one.

`cyborg-wrapped` is CybORG behind its stock `ChallengeWrapper`, `cyborg` the same simulator behind this project's
adapter; `fast` is the engine (with a policy: the workers' rollout kernel), `fast-gymnasium` the engine through
`gymnasium.make` and `gymnasium.make_vec`. `play-out` plays on from saved states, the same ones again and again, which
the policy comes to know; without a policy it is the baseline `random` that plays.

`fast-own-red` is the engine with the same Red as an attacker of one's own, in Python; with a policy, the episodes are
played step by step, as workers play them.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.cyborg.env import CyborgEnv, load_cyborg
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.names import Compromised
from pipeline.play.play_out import Policy, play_out
from pipeline.play.record import record_layout
from pipeline.play.rollout import EnginePlayer
from pipeline.policy.forward import Actor
from pipeline.policy.params import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.cage2.env import Cage2Env

BATCHES = (64, 1024)
OWN = {
    "B_lineAgent": "pipeline.cage2.attackers.b_line:BLine",
    "RedMeanderAgent": "pipeline.cage2.attackers.meander:Meander",
    "SleepAgent": "pipeline.cage2.attackers.sleep:Sleep",
}
"""The Red agents once more, as attackers of one's own."""
GYM_ID = "pipeline.cage2.gym:Cage2-v0"
WORKFLOW_ID = 65
POOL = 1_000_000
"""Random actions that are drawn beforehand."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one way of playing reaches."""

    engine: str
    red_agent: str
    batch: int
    policy: bool
    steps_per_s: float
    ratio: float
    """To CybORG behind its wrapper, in the same run."""


def measure(play: Callable[[int], int], seconds: float) -> float:
    """Call `play(round)`, which returns the steps that it played, for some time; return steps per second."""
    play(0)
    steps, rounds = 0, 1
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        steps += play(rounds)
        rounds += 1
    return steps / elapsed


def episodes_of(env: Cage2Env, actions: list[int]) -> Callable[[int], int]:
    """Return what plays one episode of random actions."""

    def play(index: int) -> int:
        env.reset(index)
        first = index * spec.EPISODE_STEPS % (POOL - spec.EPISODE_STEPS)
        for action in actions[first : first + spec.EPISODE_STEPS]:
            env.step(action)
        return spec.EPISODE_STEPS

    return play


def new_actor() -> Actor:
    """Return an actor with untrained weights."""
    weights = np.random.default_rng(0).normal(0.0, 0.1, PLAIN.actor.num_values).astype(np.float32)
    return Actor(weights, PLAIN)


def policy_episodes_of(env: Cage2Env) -> Callable[[int], int]:
    """Return what plays one episode by the actor."""
    actor = new_actor()

    def play(index: int) -> int:
        observation = env.reset(index)
        for uniform in seeding.uniforms(index, spec.EPISODE_STEPS):
            action, _ = actor.sample(observation, WORKFLOW_ID, uniform)
            observation, _ = env.step(action)
        return spec.EPISODE_STEPS

    return play


def rollouts_of(red_agent: str) -> Callable[[int], int]:
    """Return what plays one episode by the actor in the workers' kernel."""
    actor, player = new_actor(), EnginePlayer(red_agent, "head", Interface())
    verdicts = Verdicts(range(5), Compromised.FIXABLE)
    record = {
        field.name: np.empty(field.shape, field.dtype)
        for field in record_layout(spec.EPISODE_STEPS, spec.OBSERVATION_SIZE).fields
    }

    def play(index: int) -> int:
        player.play(actor, verdicts, workflow_id=WORKFLOW_ID, environment_seed=index, actions_seed=index, record=record)
        return spec.EPISODE_STEPS

    return play


def gymnasium_episodes_of(red_agent: str, actions: list[int]) -> Callable[[int], int]:
    """Return what plays one episode of random actions through `gymnasium.make`, its default wrappers included."""
    env = gymnasium.make(GYM_ID, red_agent=red_agent)

    def play(index: int) -> int:
        env.reset(seed=index)
        first = index * spec.EPISODE_STEPS % (POOL - spec.EPISODE_STEPS)
        for action in actions[first : first + spec.EPISODE_STEPS]:
            env.step(action)
        return spec.EPISODE_STEPS

    return play


def gymnasium_batches_of(
    num_games: int, red_agent: str, actions: np.ndarray[Any, np.dtype[np.int64]]
) -> Callable[[int], int]:
    """Return what plays one episode of random actions in each game of a `gymnasium.make_vec`."""
    envs = gymnasium.make_vec(GYM_ID, num_envs=num_games, vectorization_mode="vector_entry_point", red_agent=red_agent)
    size = num_games * spec.EPISODE_STEPS

    def play(index: int) -> int:
        envs.reset(seed=index)
        first = index * size % (POOL - size)
        for row in actions[first : first + size].reshape(spec.EPISODE_STEPS, num_games):
            envs.step(row)
        return size

    return play


def wrapped_episodes_of(red_agent: str, actions: list[int]) -> Callable[[int], int]:
    """Return what plays one episode of random actions through CybORG's `ChallengeWrapper`."""
    cyborg = load_cyborg("csle")
    from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper

    simulator = cyborg.main(cyborg.scenario, "sim", agents={"Red": getattr(cyborg.agents, red_agent)})
    env = ChallengeWrapper(env=simulator, agent_name="Blue")

    def play(index: int) -> int:
        random.seed(index)
        env.reset()
        first = index * spec.EPISODE_STEPS % (POOL - spec.EPISODE_STEPS)
        for action in actions[first : first + spec.EPISODE_STEPS]:
            env.step(action)
        return spec.EPISODE_STEPS

    return play


def batches_of(num_games: int, red_agent: str, actions: np.ndarray[Any, np.dtype[np.int64]]) -> Callable[[int], int]:
    """Return what plays one episode of random actions in each game of a batch."""
    batch = GameBatch(num_games, red_agent)
    size = num_games * spec.EPISODE_STEPS

    def play(index: int) -> int:
        batch.reset(np.arange(index * num_games, (index + 1) * num_games, dtype=np.uint64))
        first = index * size % (POOL - size)
        for row in actions[first : first + size].reshape(spec.EPISODE_STEPS, num_games):
            batch.step(row)
        return size

    return play


def play_outs_of(num_games: int, red_agent: str, agent: Policy | str) -> Callable[[int], int]:
    """Return what plays 100 steps on from each of some states, which are loaded and checked each time."""
    batch = GameBatch(num_games, red_agent)
    batch.reset(range(num_games))
    states = batch.states()

    def play(_: int) -> int:
        play_out(states, agent, spec.EPISODE_STEPS)
        return num_games * spec.EPISODE_STEPS

    return play


def rows_of(red_agent: str, seconds: float) -> list[Row]:
    """Measure every way of playing against one Red agent."""
    actions = np.random.default_rng(0).integers(0, spec.NUM_ACTIONS, POOL)
    listed = actions.tolist()
    policy = Policy(new_actor(), Interface(), WORKFLOW_ID)
    ways: list[tuple[str, int, bool, Callable[[int], int]]] = [
        ("cyborg-wrapped", 1, False, wrapped_episodes_of(red_agent, listed)),
        ("cyborg", 1, False, episodes_of(CyborgEnv(red_agent), listed)),
        ("cyborg", 1, True, policy_episodes_of(CyborgEnv(red_agent))),
        ("fast", 1, False, episodes_of(FastEnv(red_agent), listed)),
        ("fast", 1, True, rollouts_of(red_agent)),
        ("fast-own-red", 1, False, episodes_of(FastEnv(OWN[red_agent]), listed)),
        ("fast-own-red", 1, True, policy_episodes_of(FastEnv(OWN[red_agent]))),
        *(("fast", size, False, batches_of(size, red_agent, actions)) for size in BATCHES),
        ("play-out", BATCHES[0], False, play_outs_of(BATCHES[0], red_agent, "random")),
        ("play-out", BATCHES[0], True, play_outs_of(BATCHES[0], red_agent, policy)),
        ("fast-gymnasium", 1, False, gymnasium_episodes_of(red_agent, listed)),
        *(("fast-gymnasium", size, False, gymnasium_batches_of(size, red_agent, actions)) for size in BATCHES),
    ]
    speeds = [measure(play, seconds) for *_, play in ways]
    return [
        Row(engine, red_agent, size, policy, round(speed, 1), round(speed / speeds[0], 2))
        for (engine, size, policy, _), speed in zip(ways, speeds, strict=True)
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description="Steps per second of CybORG and of the engine, on one core.")
    parser.add_argument("--red", choices=(*spec.RED_AGENTS, "all"), default="all")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    red_agents = spec.RED_AGENTS if options.red == "all" else (options.red,)
    rows = [row for red_agent in red_agents for row in rows_of(red_agent, options.seconds)]
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}, indent=2))
        return
    print(f"{'engine':16}{'Red':18}{'batch':>6}{'policy':>8}{'steps/s':>14}{'ratio':>10}")
    for row in rows:
        policy = "yes" if row.policy else "no"
        print(f"{row.engine:16}{row.red_agent:18}{row.batch:6}{policy:>8}{row.steps_per_s:14,.0f}{row.ratio:10,.1f}")


if __name__ == "__main__":
    main()
