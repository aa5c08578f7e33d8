from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.engine import red
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}
USER0 = 1 << spec.RED_FOOTHOLD_INDEX


def last(game: Any) -> tuple[str, int]:
    return red.ACTIONS[game.game["red_action"]], int(game.game["red_target"])


def test_the_sleeping_agent_does_nothing(play: Callable[..., Any]) -> None:
    game = play("SleepAgent")
    before = game.env.batch.generator_state(0)
    for _ in range(20):
        assert game.blue("Sleep") == 0
    assert game.env.batch.generator_state(0) == before
    assert last(game) == ("Sleep", -1)


def test_b_line_reaches_the_ot_service_of_a_sleeping_defender(play: Callable[..., Any]) -> None:
    for seed in range(10):
        game = play("B_lineAgent", seed)
        for _ in range(60):
            game.blue("Sleep")
        assert last(game) == ("Impact", HOST["Op_Server0"])
        assert game.game["ot_running"] == 0


def test_b_line_starts_with_its_subnet_and_chooses_a_user_host(play: Callable[..., Any]) -> None:
    chosen = set()
    for seed in range(30):
        game = play("B_lineAgent", seed)
        game.blue("Sleep")
        assert last(game)[0] == "DiscoverRemoteSystems"
        game.blue("Sleep")
        assert last(game)[0] == "DiscoverNetworkServices"
        chosen.add(last(game)[1])
    assert chosen == {HOST[f"User{i}"] for i in (1, 2, 3, 4)}


def test_b_line_goes_back_after_a_failure(play: Callable[..., Any]) -> None:
    game = play("B_lineAgent")
    game.red(6)  # without a session
    game.blue("Sleep")
    assert game.game["script_index"] == 5


def test_b_line_jumps_back_once_when_a_scan_lists_nothing(play: Callable[..., Any]) -> None:
    game = play("B_lineAgent")
    game.red(11)  # without a foothold
    game.game["script_seen"] = (1 << 12) - 1
    game.blue("Sleep")
    assert game.game["script_index"] == 1
    assert last(game) == ("DiscoverNetworkServices", game.game["script_user"])
    game.red(11)
    game.blue("Sleep")
    assert game.game["script_index"] == 12


def test_meander_sweeps_scans_escalates_and_exploits_in_this_order(play: Callable[..., Any]) -> None:
    game = play("RedMeanderAgent")
    actions = []
    for _ in range(12):
        game.blue("Sleep")
        actions.append(last(game))
    names = [name for name, _ in actions]
    assert names[:6] == ["DiscoverRemoteSystems"] + ["DiscoverNetworkServices"] * 5
    assert actions[6] == ("PrivilegeEscalate", spec.RED_FOOTHOLD_INDEX)
    assert names[7] == "ExploitRemoteService"


def test_meander_ends_with_impact(play: Callable[..., Any]) -> None:
    game = play("RedMeanderAgent", 3)
    for _ in range(90):
        game.blue("Sleep")
    assert last(game) == ("Impact", HOST["Op_Server0"])


def test_meander_gives_up_footholds_after_a_failed_exploit(play: Callable[..., Any]) -> None:
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


def test_meander_drops_a_host_that_it_can_not_escalate(play: Callable[..., Any]) -> None:
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
