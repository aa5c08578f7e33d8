from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import Verdicts, episode_compliance
from pipeline.cage2.facts.orders import ORDERS
from pipeline.cage2.mixed_env import MIXED, MIXED_AGENTS, mixed_index
from pipeline.play.episode import play_episode
from pipeline.policy.forward import Actor
from pipeline.trace.blue import BaselineBlue, PolicyBlue
from pipeline.trace.recorder import Recorder
from tests.pipeline.conftest import weights
from tests.pipeline.trace.conftest import GAME, WORKFLOW_ID, recorded, seeds

if TYPE_CHECKING:
    from pipeline.trace.trace import Trace


@pytest.mark.parametrize("red_agent", [*spec.RED_AGENTS, MIXED])
def test_both_engines_give_the_same_trace(red_agent: str) -> None:
    """Every field of every step, with a policy that tries everything there is."""
    game = replace(GAME, red_agent=red_agent, interface=Interface(True, "all"), num_steps=100)
    on_cyborg = replace(game, engine="cyborg")
    fast, other = (Recorder(each, PolicyBlue(weights(1, each.shape), WORKFLOW_ID, each)) for each in (game, on_cyborg))
    successes: dict[str, set[bool | None]] = {"blue": set(), "red": set()}
    for index in range(2):
        trace = fast.play(0, index, *seeds(index))
        assert other.play(0, index, *seeds(index)) == trace
        successes["blue"] |= {step.blue.success for step in trace.steps}
        successes["red"] |= {step.red.success for step in trace.steps}
    assert {True, False} <= successes["blue"]
    assert successes["red"] == {None} if red_agent == "SleepAgent" else {True, False} <= successes["red"]


@pytest.mark.parametrize("greedy", [False, True])
@pytest.mark.parametrize("interface", [Interface(), Interface(True, "merged")], ids=["plain", "merged"])
def test_it_is_the_episode_that_is_played_elsewhere(interface: Interface, greedy: bool) -> None:
    trace = recorded(4, interface=interface, greedy=greedy)
    game = replace(GAME, interface=interface)
    verdicts = Verdicts(ORDERS[WORKFLOW_ID].tolist(), game.compromised)
    record = game.record.views(memoryview(bytearray(game.record.size_bytes)))
    environment_seed, actions_seed = seeds(4)
    play_episode(
        game.env(),
        Memory(interface),
        Actor(weights(1, game.shape), game.shape),
        verdicts,
        workflow_id=WORKFLOW_ID,
        environment_seed=environment_seed,
        actions_seed=actions_seed,
        record=record,
        greedy=greedy,
    )
    names = interface.action_names
    assert [step.blue.choice for step in trace.steps] == [names[action] for action in record["action"]]
    assert [step.reward.total for step in trace.steps] == (record["reward_tenths"] / 10).tolist()
    probabilities = [step.blue.probability for step in trace.steps]
    np.testing.assert_allclose(np.array(probabilities, float), np.exp(record["log_prob"].astype(float)), rtol=1e-5)
    fixes = ["none", "not_compliant", "compliant"]
    assert [step.blue.verdict for step in trace.steps] == [fixes[fix] for fix in record["fix"]]
    assert trace.compliance == episode_compliance(record["fix"])
    assert (trace.environment_seed, trace.actions_seed) == (environment_seed, actions_seed)


def costs(trace: Trace) -> list[tuple[float, float]]:
    """Return each step's reward, and what its parts come to."""
    return [
        (
            step.reward.total,
            round(
                step.reward.action
                + math.fsum((*step.reward.confidentiality.values(), *step.reward.availability.values())),
                1,
            ),
        )
        for step in trace.steps
    ]


def test_the_parts_of_a_reward_add_up() -> None:
    trace = Recorder(GAME, BaselineBlue("sleep")).play(0, 0, *seeds(0))
    assert all(total == parts for total, parts in costs(trace))
    assert trace.steps[-1].reward.availability == {"Op_Server0": -10.0}  # nobody has stopped B_line
    assert not trace.steps[-1].network.ot_service_up
    assert trace.total_reward == pytest.approx(sum(step.reward.total for step in trace.steps))
    restored = Recorder(GAME, BaselineBlue("restore")).play(0, 0, *seeds(0))
    assert all(total == parts for total, parts in costs(restored))
    assert {step.reward.action for step in restored.steps} == {0.0, -1.0}


def test_what_costs_is_under_red() -> None:
    for step in recorded(1).steps:
        held = {host for host, sessions in step.network.sessions.items() if "Privileged" in sessions}
        assert set(step.reward.confidentiality) == held - {"User0"}  # which costs nothing
        assert step.network.sessions["User0"][0] == "Privileged"
        assert set(step.network.scanned) <= set(step.network.known) | {"User0"}


def test_a_baseline_follows_no_workflow() -> None:
    trace = Recorder(GAME, BaselineBlue("random")).play(0, 0, *seeds(0))
    assert trace.compliance is None
    assert {step.blue.verdict for step in trace.steps} == {None}
    assert {step.blue.probability for step in trace.steps} == {None}


def test_addresses_are_those_of_the_episode(traces: list[Trace]) -> None:
    assert list(traces[0].addresses) == list(spec.HOST_NAMES)
    assert set(traces[0].subnets) == {subnet.name for subnet in spec.SUBNETS}
    assert traces[0].addresses != traces[1].addresses


def test_who_attacks_follows_from_the_seed() -> None:
    traces = [recorded(index, red_agent=MIXED, num_steps=1) for index in range(6)]
    assert [trace.red_agent for trace in traces] == [MIXED_AGENTS[mixed_index(seeds(index)[0])] for index in range(6)]
    assert {trace.red_agent for trace in traces} == set(MIXED_AGENTS)
