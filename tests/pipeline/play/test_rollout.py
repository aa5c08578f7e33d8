from __future__ import annotations

import numpy as np
import pytest

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.orders import ORDERS
from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.play.episode import play_episode
from pipeline.play.record import record_layout
from pipeline.play.rollout import EnginePlayer
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape

WORKFLOW_ID = 29
VERDICTS = Verdicts(ORDERS[WORKFLOW_ID].tolist(), Compromised.FIXABLE)


PLAIN = Interface()
INTERFACES = (PLAIN, Interface(True), Interface(False, "merged"), Interface(True, "merged"))


def empty_record(num_steps: int = 100, interface: Interface = PLAIN) -> dict[str, np.ndarray]:
    fields = record_layout(num_steps, interface.observation_size).fields
    return {field.name: np.full(field.shape, 99, field.dtype) for field in fields}


def actor(interface: Interface = PLAIN) -> Actor:
    shape = PolicyShape.of(interface)
    return Actor(np.random.default_rng(5).normal(0, 0.2, shape.actor.num_values).astype(np.float32), shape)


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name, written in one.items():
        assert np.array_equal(written, other[name]), name


@pytest.mark.parametrize("red_agent", RED_AGENTS)
@pytest.mark.parametrize(
    ("interface", "mode", "greedy"),
    [
        (PLAIN, Compromised.SESSIONS, False),
        *((interface, Compromised.FIXABLE, False) for interface in INTERFACES),
        (INTERFACES[-1], Compromised.FIXABLE, True),
    ],
)
def test_the_kernel_writes_what_the_loop_writes_on_both_engines(
    red_agent: str, interface: Interface, mode: Compromised, greedy: bool
) -> None:
    verdicts, memory = Verdicts(ORDERS[WORKFLOW_ID].tolist(), mode), Memory(interface)
    player = EnginePlayer(red_agent, "head", interface)
    fast, cyborg = FastEnv(red_agent), CyborgEnv(red_agent)
    environment, actions = seeding.episode_seeds(11, WORKFLOW_ID, range(4))
    for index in range(4):
        asked = {
            "workflow_id": WORKFLOW_ID,
            "environment_seed": int(environment[index]),
            "actions_seed": int(actions[index]),
            "greedy": greedy,
        }
        by_kernel, by_loop, by_cyborg = (empty_record(interface=interface) for _ in range(3))
        player.play(actor(interface), verdicts, **asked, record=by_kernel)
        play_episode(fast, memory, actor(interface), verdicts, **asked, record=by_loop)
        play_episode(cyborg, memory, actor(interface), verdicts, **asked, record=by_cyborg)
        assert_same(by_kernel, by_loop)
        assert_same(by_kernel, by_cyborg)
        assert by_kernel["action"].max() < interface.num_actions


def test_a_greedy_policy_takes_the_likeliest_action_wherever_it_goes() -> None:
    records = []
    for actions_seed in (1, 2):
        records.append(empty_record())
        EnginePlayer("B_lineAgent", "head", PLAIN).play(
            actor(),
            VERDICTS,
            workflow_id=3,
            environment_seed=3,
            actions_seed=actions_seed,
            record=records[-1],
            greedy=True,
        )
    assert_same(*records)
    for t, action in enumerate(records[0]["action"]):
        log_probs, _ = actor().distribution(records[0]["observation"][t], 3)
        assert action == np.argmax(log_probs)
        assert records[0]["log_prob"][t] == log_probs[action]


@pytest.mark.parametrize("num_steps", [1, 30, 100])
def test_an_episode_has_as_many_steps_as_its_record(num_steps: int) -> None:
    player = EnginePlayer("B_lineAgent", "head", PLAIN)
    whole, part = empty_record(), empty_record(num_steps)
    for record in (whole, part):
        player.play(actor(), VERDICTS, workflow_id=WORKFLOW_ID, environment_seed=3, actions_seed=4, record=record)
    assert np.array_equal(part["action"], whole["action"][:num_steps])
    assert np.array_equal(part["observation"], whole["observation"][: num_steps + 1])


def test_a_record_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="101 steps"):
        EnginePlayer("B_lineAgent", "head", PLAIN).play(
            actor(), VERDICTS, workflow_id=WORKFLOW_ID, environment_seed=0, actions_seed=0, record=empty_record(101)
        )


def test_what_compiled_code_would_write_beyond_an_end_is_refused() -> None:
    player, rich = EnginePlayer("B_lineAgent", "head", PLAIN), INTERFACES[-1]
    short = [empty_record() for _ in range(4)]
    for record, name in zip(short, ("observation", "log_prob", "reward_tenths", "fix"), strict=True):
        record[name] = record[name][:-1]
    plain = actor()
    unfit = [
        *((plain, record, 3) for record in (*short, empty_record(interface=rich))),
        *((actor(interface), empty_record(), 3) for interface in INTERFACES[1:]),
        *((plain, empty_record(), workflow_id) for workflow_id in (-1, 120)),
    ]
    for policy, record, workflow_id in unfit:
        before = {name: values.copy() for name, values in record.items()}
        with pytest.raises(ValueError, match=f"no episode of workflow {workflow_id} and of this interface"):
            player.play(policy, VERDICTS, workflow_id=workflow_id, environment_seed=0, actions_seed=0, record=record)
        assert_same(record, before)


def test_profiles_differ() -> None:
    rewards = []
    for profile in ("head", "leaderboard"):
        player = EnginePlayer("RedMeanderAgent", profile, PLAIN)
        records = [empty_record() for _ in range(20)]
        for seed, record in enumerate(records):
            player.play(
                actor(), VERDICTS, workflow_id=WORKFLOW_ID, environment_seed=seed, actions_seed=seed, record=record
            )
        rewards.append([int(record["reward_tenths"].sum()) for record in records])
    assert rewards[0] != rewards[1]


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
def test_seeds_of_every_size_are_those_of_random(seed: int) -> None:
    """A seed below 2**32 is a key of one word, as CPython has it."""
    by_kernel, by_cyborg = empty_record(), empty_record()
    EnginePlayer("B_lineAgent", "head", PLAIN).play(
        actor(), VERDICTS, workflow_id=WORKFLOW_ID, environment_seed=seed, actions_seed=seed, record=by_kernel
    )
    play_episode(
        CyborgEnv("B_lineAgent"),
        Memory(PLAIN),
        actor(),
        VERDICTS,
        workflow_id=WORKFLOW_ID,
        environment_seed=seed,
        actions_seed=seed,
        record=by_cyborg,
    )
    assert_same(by_kernel, by_cyborg)
