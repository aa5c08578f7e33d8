# ruff: noqa: S311 - Python's generator is what the engine's is compared with
from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine import red
from pipeline.cage2.engine.agents import meander
from pipeline.cage2.facts import spec
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}
USER0 = 1 << spec.RED_FOOTHOLD_INDEX


@kernel
def choose(games: Any) -> tuple[int, int]:
    return meander.choose(games[0])


def test_it_sweeps_scans_escalates_and_exploits_in_this_order(play: Callable[..., Any]) -> None:
    game = play("RedMeanderAgent")
    actions = []
    for _ in range(12):
        game.blue("Sleep")
        actions.append(game.last())
    names = [name for name, _ in actions]
    assert names[:6] == ["DiscoverRemoteSystems"] + ["DiscoverNetworkServices"] * 5
    assert actions[6] == ("PrivilegeEscalate", spec.RED_FOOTHOLD_INDEX)
    assert names[7] == "ExploitRemoteService"


def test_it_ends_with_impact(play: Callable[..., Any]) -> None:
    game = play("RedMeanderAgent", 3)
    for _ in range(90):
        game.blue("Sleep")
    assert game.last() == ("Impact", HOST["Op_Server0"])


def test_it_gives_up_footholds_after_a_failed_exploit(play: Callable[..., Any]) -> None:
    game = play("RedMeanderAgent")
    operational, enterprise = 1 << HOST["Op_Host1"], 1 << HOST["Enterprise1"]
    for escalated, kept in ((operational | enterprise | USER0, enterprise | USER0), (enterprise | USER0, USER0)):
        game.game["known_names"] = game.game["escalated"] = escalated
        game.game["exploited"] = escalated | 1 << HOST["User2"]
        game.game["last_exploit"] = HOST["User2"]
        game.game["red_success"] = 0
        game.game["swept"] = 0  # so that the next move is a sweep
        game.blue("Sleep")
        assert game.game["escalated"] == kept
        assert game.game["exploited"] == kept


def shuffled(order: list[int], rng: random.Random) -> list[int]:
    order = list(order)
    rng.shuffle(order)
    return order


@pytest.mark.parametrize("first", [0, HOST["Op_Server0"], HOST["User4"]])
def test_it_shuffles_addresses_as_they_are_listed_and_names_as_hosts_are(play: Callable[..., Any], first: int) -> None:
    game = play("RedMeanderAgent")
    hosts = list(range(spec.NUM_HOSTS))
    listed = [first, *(host for host in hosts if host != first)]
    game.game["swept"] = 7
    for seed in range(30):
        game.env.batch.set_generator_state(0, random.Random(seed).getstate())
        game.game["address_order"] = sum(host << (4 * place) for place, host in enumerate(listed))
        game.game["known_addresses"] = game.game["known_names"] = (1 << spec.NUM_HOSTS) - 1
        game.game["exploited"] = game.game["mapped"] = game.game["escalated"] = game.game["scanned"] = 0
        game.game["last_exploit"] = game.game["last_escalation"] = -1
        rng = random.Random(seed)
        assert choose(game.env.batch.games) == (red.SCAN, shuffled(listed, rng)[0])
        game.game["scanned"] = (1 << spec.NUM_HOSTS) - 1
        shuffled(listed, rng)
        assert choose(game.env.batch.games) == (red.ESCALATE, shuffled(hosts, rng)[0])
        game.game["escalated"] = (1 << spec.NUM_HOSTS) - 1 & ~(1 << spec.OP_SERVER_INDEX)
        game.game["known_names"] &= ~(1 << spec.OP_SERVER_INDEX)
        game.game["last_escalation"] = -1
        expected = shuffled(listed, rng)[0]
        shuffled(hosts, rng)
        assert choose(game.env.batch.games) == (red.EXPLOIT, expected)
        assert game.env.batch.generator_state(0) == rng.getstate()


def test_it_drops_a_host_that_it_can_not_escalate(play: Callable[..., Any]) -> None:
    game = play("RedMeanderAgent")
    user1 = 1 << HOST["User1"]
    for mapped in (0, user1):
        game.game["mapped"] = mapped
        game.game["escalated"] = game.game["exploited"] = user1
        game.game["last_escalation"] = HOST["User1"]
        game.game["red_success"] = 0
        game.game["swept"] = 0
        game.blue("Sleep")
        assert game.game["escalated"] == 0
        assert game.game["exploited"] == user1 & ~mapped
