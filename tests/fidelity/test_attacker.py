"""Red's actions from outside, in any order, against CybORG with an agent that does as it is told.

So what the built-in agents never do is compared too, such as escalating on a host with several sessions.
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.cage2.attackers.choice import TARGETS, Choice
from pipeline.cage2.attackers.knowledge import Knowledge, is_known
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine import red
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from types import ModuleType

    import pytest

ANYTHING = f"{__name__}:Anything"
"""The attacker below, by name."""


class Anything:
    """Chooses anything, now and then on what it doesn't know, and keeps what it was told."""

    told: ClassVar[list[Knowledge]] = []

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator

    def choose(self, knowledge: Knowledge) -> Choice:
        self.told.append(knowledge)
        rng = self._generator
        known = {action: [t for t in TARGETS[action] if is_known(knowledge, (action, t))] for action in TARGETS}
        [action] = rng.choices(list(TARGETS), [1, 2, 10, 15, 10, 3])
        return action, rng.choice((rng.random() > 0.1 and known[action]) or TARGETS[action])


class Obedient:
    """An agent of CybORG's that does what it was told last."""

    action: Any = None

    def get_action(self, *_: Any) -> Any:
        return self.action

    def train(self, *_: Any) -> None: ...

    def end_episode(self) -> None: ...

    def set_initial_values(self, *_: Any, **__: Any) -> None: ...


def members(mask: int, count: int) -> list[int]:
    return [index for index in range(count) if mask >> index & 1]


def choose(rng: random.Random, game: Any) -> tuple[int, int]:
    """Choose any action on what Red knows; CybORG refuses what Red doesn't know."""
    targets = {
        red.SLEEP: [red.NO_TARGET],
        red.SWEEP: members(game["known_subnets"], len(spec.SUBNETS)),
        red.SCAN: members(game["known_addresses"], spec.NUM_HOSTS),
        red.EXPLOIT: [host for host in range(spec.NUM_HOSTS) if game["port_memory"][host]],
        red.ESCALATE: members(game["known_names"], spec.NUM_HOSTS),
        red.IMPACT: members(game["known_names"] & 1 << spec.OP_SERVER_INDEX, spec.NUM_HOSTS),
    }
    weights = {red.SLEEP: 1, red.SWEEP: 2, red.SCAN: 10, red.EXPLOIT: 15, red.ESCALATE: 10, red.IMPACT: 5}
    actions = [action for action in targets if targets[action]]
    [action] = rng.choices(actions, [weights[action] for action in actions])
    return action, rng.choice(targets[action])


def as_cyborg_has_it(controller: Any, action: int, target: int) -> Any:
    from csle_cyborg.shared import actions

    kind = getattr(actions, red.ACTIONS[action])
    if action == red.SLEEP:
        return kind()
    if action == red.SWEEP:
        name = spec.SUBNETS[target].name
        return kind(session=0, agent="Red", subnet=controller.state.subnet_name_to_cidr[name])
    name = spec.HOST_NAMES[target]
    if action in (red.SCAN, red.EXPLOIT):
        return kind(session=0, agent="Red", ip_address=controller.hostname_ip_map[name])
    return kind(session=0, agent="Red", hostname=name)


def test_the_engine_carries_out_what_cyborg_does(fidelity: ModuleType) -> None:
    cyborg, fast = fidelity.Stock(Obedient, 0), FastEnv("SleepAgent")
    attacker = cyborg.controller.agent_interfaces["Red"].agent
    game = fast.batch.games[0]
    num_choices = 0
    for seed, policy in enumerate(("random", "reactive", "decoy", "sleep") * 2):
        rng = random.Random(seed)  # noqa: S311 - a game, no secret
        observation = cyborg.reset(seed)
        assert observation == fast.reset(seed).tolist()
        for _ in range(spec.EPISODE_STEPS):
            action, (red_action, target) = fidelity.POLICIES[policy](rng, observation), choose(rng, game)
            is_user = red_action == red.ESCALATE and not game["privileged_hosts"] >> target & 1
            num_choices += is_user and game["num_sessions"][target] > 1
            attacker.action = as_cyborg_has_it(cyborg.controller, red_action, target)
            observation, reward, red_hosts = cyborg.step(action)
            fast.batch.step(action, (red_action, target))
            assert type(cyborg.controller.action["Red"]).__name__ == red.ACTIONS[red_action], "it was refused"
            assert observation == fast.batch.observations[0].tolist()
            assert (reward, red_hosts) == (fast.batch.rewards[0], fast.red_hosts())
            assert cyborg.generator_state() == fast.batch.generator_state(0)
    assert num_choices, "an escalation had several sessions to choose from"


def test_an_attacker_is_told_the_same_on_either_engine(fidelity: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Anything.__module__])
    fast, cyborg = FastEnv(ANYTHING), CyborgEnv(ANYTHING)
    told = Anything.told
    num_refused = num_names = 0
    for seed, policy in enumerate(("random", "reactive", "decoy", "sleep") * 3):
        rng = random.Random(seed)  # noqa: S311 - a game, no secret
        observation = fast.reset(seed)
        assert observation.tolist() == cyborg.reset(seed).tolist()
        for step in range(spec.EPISODE_STEPS):
            action = fidelity.POLICIES[policy](rng, observation)
            (observation, reward), (expected, expected_reward) = fast.step(action), cyborg.step(action)
            assert told[-2] == told[-1], "on the engine, and on CybORG"
            assert told[-1].step == step + 1
            assert observation.tolist() == expected.tolist()
            assert (reward, fast.red_hosts()) == (expected_reward, cyborg.red_hosts())
            assert fast.batch.generator_state(0) == cyborg.generator
            num_refused += not is_known(told[-1], told[-1].last)
        num_names += len(told[-1].names)
        told.clear()
    assert num_refused > 50
    assert num_names > 40, "Red gets somewhere"
