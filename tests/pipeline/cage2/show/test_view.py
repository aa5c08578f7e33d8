"""What a `View` says is what CybORG's own `ChallengeWrapper` says, word for word, whichever engine plays."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.cyborg.env import CyborgEnv, load_cyborg
from pipeline.cage2.cyborg.view import cyborg_view
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import UnknownNameError
from pipeline.cage2.show.fast_view import Origins, fast_view
from pipeline.cage2.show.view import Session, View

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _generator_kept() -> Iterator[None]:
    """The stock wrapper draws from the generator of `random`."""
    kept = random.getstate()
    yield
    random.setstate(kept)


class Stock:
    """CybORG as a user has it, built after seeding."""

    def __init__(self, red_agent: str, seed: int) -> None:
        cyborg = load_cyborg("csle")
        from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper

        random.seed(seed)
        self.main = cyborg.main(cyborg.scenario, "sim", agents={"Red": getattr(cyborg.agents, red_agent)})
        self.wrapper = ChallengeWrapper(env=self.main, agent_name="Blue")
        self.reward = 0.0

    def reset(self) -> None:
        self.wrapper.reset()

    def step(self, action: int) -> None:
        _, self.reward, *_ = self.wrapper.step(action)

    def table(self, which: str) -> str:
        return str(self.wrapper.env.env.env.get_table(which))

    def success(self, agent: str) -> bool | None:
        told = self.main.environment_controller.observation[agent].data.get("success")
        if agent == "Blue":  # its table has taken it out
            told = self.wrapper.env.env.env.success
        return {"TRUE": True, "FALSE": False, "UNKNOWN": None}[told.name]

    def red_sessions(self) -> dict[str, list[tuple[int, bool]]]:
        state = self.main.environment_controller.state
        found: dict[str, list[tuple[int, bool]]] = {name: [] for name in spec.HOST_NAMES}
        for session in state.sessions["Red"].values():
            found[session.host].append((session.pid, session.username in ("root", "SYSTEM")))
        return found


@cache
def adapter(red_agent: str) -> CyborgEnv:
    return CyborgEnv(red_agent)


class Both:
    """The same game on the engine and on the adapter to CybORG."""

    def __init__(self, red_agent: str) -> None:
        self.batch = GameBatch(3, red_agent)
        self.origins = Origins(self.batch)
        self.env = adapter(red_agent)

    def reset(self, seed: int | None) -> None:
        self.origins.reset([seed], np.array([1]))
        self.observation = self.env.reset(seed, is_new=seed is not None)
        self.num_steps, self.action = 0, 0
        self.origins.reset([7, 8], np.array([0, 2]))

    def step(self, action: int) -> None:
        self.batch.step(np.full(3, action))
        self.observation, _ = self.env.step(action)
        self.num_steps, self.action = self.num_steps + 1, action

    def views(self) -> tuple[View, View]:
        return (
            fast_view(self.batch, 1, self.origins.addresses(1)),
            cyborg_view(self.env, self.observation, self.num_steps, self.action),
        )


def moves(policy: str, seed: int) -> Iterator[int]:
    rng = random.Random(seed)  # noqa: S311 - a test's policy
    while True:
        action = rng.randrange(spec.NUM_ACTIONS)
        if policy == "decoys" and rng.random() < 0.7:
            action = rng.randrange(spec.DECOY, spec.RESTORE)
        elif policy == "idle" and rng.random() < 0.9:
            action = rng.choice((spec.SLEEP, spec.MONITOR, spec.REMOVE + 10, spec.ANALYSE + 3))
        yield action


@pytest.mark.parametrize("policy", ["random", "decoys", "idle"])
@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_it_says_what_cyborg_says(red_agent: str, policy: str) -> None:
    stock, both = Stock(red_agent, 11), Both(red_agent)
    policy_moves = moves(policy, 5)
    for seed in (11, None):  # the second episode goes on from the first
        stock.reset()
        both.reset(seed)
        for step in range(40):
            view, other = both.views()
            assert view == other
            assert view.num_steps == step
            assert view.blue_table() == stock.table("blue_table")
            assert view.true_table() == stock.table("true_table")
            assert view.ip_map() == {name: str(ip) for name, ip in stock.wrapper.get_ip_map().items()}
            held = {host.name: [(session.pid, session.privileged) for session in host.sessions] for host in view.hosts}
            assert held == stock.red_sessions()
            if step:
                assert view.last_action("Blue") == str(stock.wrapper.get_last_action("Blue"))
                assert view.last_action("Red") == str(stock.wrapper.get_last_action("Red"))
                assert (view.blue_success, view.red_success) == (stock.success("Blue"), stock.success("Red"))
                breakdown = view.reward_breakdown()
                assert breakdown == stock.wrapper.get_reward_breakdown("Blue")
                restore = view.blue_action is not None and view.blue_action >= spec.RESTORE
                assert round(sum(map(sum, breakdown.values())) - restore, 1) == stock.reward
            action = next(policy_moves)
            stock.step(action)
            both.step(action)


def test_after_a_reset_nobody_has_acted() -> None:
    both = Both("B_lineAgent")
    both.reset(0)
    both.step(spec.RESTORE)
    both.reset(1)
    for view in both.views():
        assert view.last_action("Blue") is view.last_action("Red") is view.red_target is None
        assert view.blue_success is view.red_success is None
        assert not any(map(any, view.reward_breakdown().values()))
        assert [host.name for host in view.hosts if host.access != "None"] == ["User0"]


def test_an_agent_that_there_is_not_has_not_acted() -> None:
    """Any other name once passed for Red's."""
    both = Both("B_lineAgent")
    both.reset(0)
    for name in ("blue", "Green"):
        with pytest.raises(UnknownNameError, match=f"unknown agent '{name}': choose one of Blue, Red"):
            both.views()[0].last_action(name)


def test_targets_and_decoys_have_names() -> None:
    both = Both("B_lineAgent")
    both.reset(0)
    both.step(spec.ACTION_NAMES.index("DecoyApache Enterprise0"))
    view, _ = both.views()
    assert (view.red_action, view.red_target) == ("DiscoverRemoteSystems", "User")
    assert view.hosts[1].decoys == ("DecoyApache",)
    for action in ("DecoyVsftpd User4", "DecoyVsftpd User4", "DecoySmss User0", "DecoyFemitter Enterprise1"):
        both.step(spec.ACTION_NAMES.index(action))
    view, other = both.views()
    assert view == other
    assert view.hosts[12].decoys == ("DecoyVsftpd", "DecoyVsftpd")
    assert view.red_target in spec.HOST_NAMES


def test_access_is_that_of_the_oldest_session_and_cost_that_of_any() -> None:
    """Both as in CybORG, which looks at the first of Red's sessions for its table and at all for the reward."""
    both = Both("B_lineAgent")
    both.reset(0)
    host = replace(both.views()[0].hosts[3], sessions=(Session(1, privileged=False), Session(2, privileged=True)))
    assert host.access == "User"
    view = replace(both.views()[0], hosts=(*both.views()[0].hosts[:3], host, *both.views()[0].hosts[4:]))
    assert view.reward_breakdown()["Enterprise2"] == (-1.0, 0.0)
    assert replace(view, ot_service_up=False).reward_breakdown()["Op_Server0"] == (0.0, -10.0)
