from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}
USER0 = 1 << spec.RED_FOOTHOLD_INDEX


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
