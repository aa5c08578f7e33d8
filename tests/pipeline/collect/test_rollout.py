from __future__ import annotations

import numpy as np
import pytest

from pipeline import seeding
from pipeline.cage2.compliance import Compromised, Verdicts
from pipeline.cage2.cyborg_env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.spec import RED_AGENTS
from pipeline.collect.episode import play_episode
from pipeline.collect.record import record_layout
from pipeline.collect.rollout import EnginePlayer
from pipeline.policy.forward import Actor
from pipeline.policy.params import ACTOR
from pipeline.workflows.orders import ORDERS, one_hot

WORKFLOW_ID = 29
VERDICTS = Verdicts(ORDERS[WORKFLOW_ID].tolist(), Compromised.FIXABLE)


def empty_record(num_steps: int = 100) -> dict[str, np.ndarray]:
    return {field.name: np.full(field.shape, 99, field.dtype) for field in record_layout(num_steps).fields}


def actor() -> Actor:
    flat = np.random.default_rng(5).normal(0, 0.2, ACTOR.num_values).astype(np.float32)
    return Actor(flat, one_hot(WORKFLOW_ID))


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name, written in one.items():
        assert np.array_equal(written, other[name]), name


@pytest.mark.parametrize("mode", Compromised)
@pytest.mark.parametrize("red_agent", RED_AGENTS)
def test_the_kernel_writes_what_the_loop_writes_on_both_engines(red_agent: str, mode: Compromised) -> None:
    verdicts = Verdicts(ORDERS[WORKFLOW_ID].tolist(), mode)
    player, fast, cyborg = EnginePlayer(red_agent, "head"), FastEnv(red_agent), CyborgEnv(red_agent)
    environment, actions = seeding.episode_seeds(11, WORKFLOW_ID, range(8))
    for index in range(8):
        seeds = {"environment_seed": int(environment[index]), "actions_seed": int(actions[index])}
        by_kernel, by_loop, by_cyborg = empty_record(), empty_record(), empty_record()
        player.play(actor(), verdicts, **seeds, record=by_kernel)
        play_episode(fast, actor(), verdicts, **seeds, record=by_loop)
        play_episode(cyborg, actor(), verdicts, **seeds, record=by_cyborg)
        assert_same(by_kernel, by_loop)
        assert_same(by_kernel, by_cyborg)


@pytest.mark.parametrize("num_steps", [1, 30, 100])
def test_an_episode_has_as_many_steps_as_its_record(num_steps: int) -> None:
    player = EnginePlayer("B_lineAgent", "head")
    whole, part = empty_record(), empty_record(num_steps)
    for record in (whole, part):
        player.play(actor(), VERDICTS, environment_seed=3, actions_seed=4, record=record)
    assert np.array_equal(part["action"], whole["action"][:num_steps])
    assert np.array_equal(part["observation"], whole["observation"][: num_steps + 1])


def test_a_record_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="101 steps"):
        EnginePlayer("B_lineAgent", "head").play(
            actor(), VERDICTS, environment_seed=0, actions_seed=0, record=empty_record(101)
        )


def test_profiles_differ() -> None:
    rewards = []
    for profile in ("head", "leaderboard"):
        player = EnginePlayer("RedMeanderAgent", profile)
        records = [empty_record() for _ in range(20)]
        for seed, record in enumerate(records):
            player.play(actor(), VERDICTS, environment_seed=seed, actions_seed=seed, record=record)
        rewards.append([int(record["reward_tenths"].sum()) for record in records])
    assert rewards[0] != rewards[1]


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
def test_seeds_of_every_size_are_those_of_random(seed: int) -> None:
    """A seed below 2**32 is a key of one word, as CPython has it."""
    by_kernel, by_cyborg = empty_record(), empty_record()
    EnginePlayer("B_lineAgent", "head").play(
        actor(), VERDICTS, environment_seed=seed, actions_seed=seed, record=by_kernel
    )
    play_episode(
        CyborgEnv("B_lineAgent"), actor(), VERDICTS, environment_seed=seed, actions_seed=seed, record=by_cyborg
    )
    assert_same(by_kernel, by_cyborg)
