from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.facts.compliance import Verdicts, compromised_types, judge
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.orders import ORDERS
from pipeline.cage2.facts.spec import OBSERVATION_SIZE, RED_AGENTS
from pipeline.play.episode import play_episode, play_stepwise
from pipeline.play.record import record_layout
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from native_buffers.layout import Layout
    from pipeline.cage2.env import Cage2Env

NUM_STEPS = 60
PLAIN, RICH = Interface(), Interface(observation_memory=True, actions="merged")

Record = dict[str, np.ndarray[Any, np.dtype[Any]]]


@pytest.fixture(scope="module", params=RED_AGENTS)
def red_agent(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def env(red_agent: str) -> Cage2Env:
    return CyborgEnv(red_agent)


def actor(workflow_id: int, interface: Interface = PLAIN) -> Actor:
    """A policy that restores hosts more than it does anything else."""
    shape = PolicyShape.of(interface)
    weights = np.random.default_rng(workflow_id).normal(0, 0.3, shape.actor.num_values).astype(np.float32)
    num_restores = 13 if interface.actions == "all" else 11
    shape.actor.views(weights)["head.bias"][-num_restores:] += 4
    return Actor(weights, shape)


def layout(interface: Interface = PLAIN) -> Layout:
    return record_layout(NUM_STEPS, interface.observation_size)


def play(
    env: Cage2Env,
    workflow_id: int,
    seed: int,
    mode: Compromised = Compromised.FIXABLE,
    interface: Interface = PLAIN,
) -> Record:
    record = layout(interface).views(memoryview(bytearray(layout(interface).size_bytes)))
    layout(interface).poison(record)
    play_episode(
        env,
        Memory(interface),
        actor(workflow_id, interface),
        Verdicts(ORDERS[workflow_id].tolist(), mode),
        workflow_id=workflow_id,
        environment_seed=seed,
        actions_seed=2**64 - 1 - seed,
        record=record,
    )
    assert layout(interface).poisoned(record) == ()
    return record


@pytest.mark.parametrize("interface", [PLAIN, RICH])
@pytest.mark.parametrize("mode", Compromised)
@pytest.mark.parametrize("workflow_id", [0, 60])
def test_the_record_is_what_was_played(
    env: Cage2Env, red_agent: str, workflow_id: int, mode: Compromised, interface: Interface
) -> None:
    seed = 3
    num_changed = 0
    record = play(env, workflow_id, seed, mode, interface)
    order = tuple(ORDERS[workflow_id].tolist())
    uniforms = seeding.uniforms(2**64 - 1 - seed, NUM_STEPS)
    memory, policy = Memory(interface), actor(workflow_id, interface)

    row = np.empty(interface.observation_size, np.int8)
    table = env.reset(seed)
    memory.begin(NUM_STEPS, table, row)
    for t, choice in enumerate(record["action"].tolist()):
        assert np.array_equal(record["observation"][t], row)
        assert np.array_equal(row[:OBSERVATION_SIZE], table)
        assert policy.sample(row, workflow_id, uniforms[t]) == (choice, record["log_prob"][t])
        action = memory.act(choice)
        fix = judge(action, order, compromised_types(env.red_hosts(), mode))
        assert record["fix"][t] == fix
        table, reward = env.step(action)
        memory.see(table, row)
        num_changed += fix != judge(action, order, compromised_types(env.red_hosts(), mode))
        assert record["reward_tenths"][t] == reward
    assert np.array_equal(record["observation"][NUM_STEPS], row)
    # what Red holds before an action decides, and that has made a difference
    assert num_changed > 0 or red_agent == "SleepAgent" or interface == RICH  # whose actions are other ones


def test_an_episode_depends_on_nothing_that_was_played_before(env: Cage2Env) -> None:
    before = {name: view.tobytes() for name, view in play(env, 0, 1).items()}
    play(env, 5, 2)
    again = {name: view.tobytes() for name, view in play(env, 0, 1).items()}
    other_order, other_seed = play(env, 5, 1), play(env, 0, 2)

    assert again == before
    assert other_order["action"].tobytes() != before["action"]
    assert other_seed["action"].tobytes() != before["action"]


def test_whoever_decides_on_the_actions_sees_what_came_of_the_ones_before(env: Cage2Env) -> None:
    seed, workflow_id = 4, 60
    played = play(env, workflow_id, seed)
    record = layout().views(memoryview(bytearray(layout().size_bytes)))
    layout().poison(record)
    verdicts = Verdicts(ORDERS[workflow_id].tolist(), Compromised.FIXABLE)
    num_decided = 0
    for t in play_stepwise(env, Memory(PLAIN), verdicts, environment_seed=seed, record=record):
        assert t == num_decided
        assert np.array_equal(record["observation"][: t + 1], played["observation"][: t + 1])
        for name in ("reward_tenths", "fix"):
            assert np.array_equal(record[name][:t], played[name][:t])
        assert (record["observation"][t + 1 :] == -1).all()
        record["action"][t] = played["action"][t]
        num_decided += 1
    assert num_decided == NUM_STEPS
    assert layout().poisoned(record) == ("log_prob",)  # whose policy it was is not known here
    for name in ("observation", "action", "reward_tenths", "fix"):
        assert np.array_equal(record[name], played[name])
