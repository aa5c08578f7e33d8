from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}


def test_it_reaches_the_ot_service_of_a_sleeping_defender(play: Callable[..., Any]) -> None:
    for seed in range(10):
        game = play("B_lineAgent", seed)
        for _ in range(60):
            game.blue("Sleep")
        assert game.last() == ("Impact", HOST["Op_Server0"])
        assert game.game["ot_running"] == 0


def test_it_starts_with_its_subnet_and_chooses_a_user_host(play: Callable[..., Any]) -> None:
    chosen = set()
    for seed in range(30):
        game = play("B_lineAgent", seed)
        game.blue("Sleep")
        assert game.last()[0] == "DiscoverRemoteSystems"
        game.blue("Sleep")
        assert game.last()[0] == "DiscoverNetworkServices"
        chosen.add(game.last()[1])
    assert chosen == {HOST[f"User{i}"] for i in (1, 2, 3, 4)}


def test_it_goes_back_after_a_failure(play: Callable[..., Any]) -> None:
    game = play("B_lineAgent")
    game.game["script_user"] = HOST["User3"]
    game.game["script_index"], game.game["red_success"] = 6, 0
    game.blue("Sleep")
    assert game.game["script_index"] == 5
    assert game.last() == ("ExploitRemoteService", HOST["Enterprise0"])


def test_it_jumps_back_once_when_a_scan_lists_nothing(play: Callable[..., Any]) -> None:
    game = play("B_lineAgent")
    game.game["script_user"] = HOST["User2"]
    for num_seen, place, action in ((12, 1, "DiscoverNetworkServices"), (13, 12, "ExploitRemoteService")):
        game.game["script_seen"] = (1 << num_seen) - 1
        game.game["script_index"], game.game["red_success"], game.game["red_listing"] = 11, 1, 0
        game.blue("Sleep")
        assert game.game["script_index"] == place
        assert game.last() == (action, HOST["User2"] if place == 1 else HOST["Op_Server0"])
