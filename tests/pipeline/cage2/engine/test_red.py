from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine import red
from pipeline.cage2.engine.tables import BASE_PORTS, port_mask
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}
SEEDS = range(40)


def test_sleep_leaves_neither_success_nor_events(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "User3")
    before = game.env.batch.generator_state(0)
    game.env.batch.step(spec.SLEEP, [(red.SLEEP, red.NO_TARGET)])
    assert game.last() == ("Sleep", red.NO_TARGET)
    assert [game.game[field] for field in ("red_success", "red_listing", "event_host", "num_events")] == [0, 0, -1, 0]
    assert game.env.batch.generator_state(0) == before


def test_a_sweep_makes_addresses_known(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverRemoteSystems", "User")
    assert game.game["red_action"] == red.SWEEP
    assert game.game["known_addresses"] == sum(1 << HOST[f"User{i}"] for i in range(5))
    assert game.game["event_host"] == -1


def test_operational_hosts_are_closed_without_a_foothold(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverRemoteSystems", "Operational")
    assert game.game["red_success"] == 0
    game.game["red_hosts"] |= 1 << HOST["Enterprise0"]
    game.red("DiscoverRemoteSystems", "Operational")
    assert game.game["red_success"] == 1
    assert game.game["known_addresses"] >> HOST["Op_Server0"] & 1


def test_a_scan_of_an_unreachable_host_succeeds_and_finds_nothing(play: Callable[..., Any]) -> None:
    game = play()
    before = game.env.batch.generator_state(0)
    game.red("DiscoverNetworkServices", "Op_Server0")
    assert game.game["red_success"] == 1
    assert game.game["red_listing"] == 0
    assert game.game["port_memory"][HOST["Op_Server0"]] == 0
    assert game.env.batch.generator_state(0) == before


def test_a_scan_finds_decoys_and_remembers_them_after_they_are_gone(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "User3", blue="DecoySSHD User3")
    remembered = game.game["port_memory"][HOST["User3"]]
    assert remembered == BASE_PORTS[HOST["User3"]] | port_mask([22])
    game.red("DiscoverRemoteSystems", "User", blue="Restore User3")
    assert game.game["port_memory"][HOST["User3"]] == remembered
    game.red("DiscoverNetworkServices", "User3")
    assert game.game["port_memory"][HOST["User3"]] == BASE_PORTS[HOST["User3"]]


def test_on_the_leaderboard_memory_only_grows(play: Callable[..., Any]) -> None:
    game = play(profile="leaderboard")
    game.red("DiscoverNetworkServices", "User3", blue="DecoySSHD User3")
    game.red("DiscoverNetworkServices", "User3", blue="Restore User3")
    assert game.game["port_memory"][HOST["User3"]] == BASE_PORTS[HOST["User3"]] | port_mask([22])


def test_an_exploit_without_a_scan_fails_and_draws_nothing(play: Callable[..., Any]) -> None:
    game = play()
    before = game.env.batch.generator_state(0)
    game.red("ExploitRemoteService", "User3")
    assert game.game["red_success"] == 0
    assert game.game["red_exploit"] == -1
    assert game.env.batch.generator_state(0) == before


def test_a_privileged_victim_gives_a_privileged_shell(play: Callable[..., Any]) -> None:
    """On User3: Haraka runs as root, the web server doesn't, and BlueKeep finds MySQL at its port."""
    seen = set()
    for seed in SEEDS:
        game = play(seed=seed)
        game.red("DiscoverNetworkServices", "User3")
        game.red("ExploitRemoteService", "User3")
        exploit = spec.EXPLOITS[game.game["red_exploit"]].name
        sessions = game.sessions("User3")
        seen.add(exploit)
        assert [privileged for _, privileged in sessions] == {
            "HarakaRCE": [True],
            "HTTPRFI": [False],
            "HTTPSRFI": [False],
            "BlueKeep": [],
        }[exploit]
        assert game.game["red_success"] == (exploit != "BlueKeep")
        assert game.game["infected_hosts"] >> HOST["User3"] & 1 == (exploit != "BlueKeep")
        assert game.game["known_names"] >> HOST["User3"] & 1 == (exploit != "BlueKeep")
    assert len(seen) == 4


def test_some_shells_are_not_detected(play: Callable[..., Any]) -> None:
    detected = []
    for seed in range(150):
        game = play(seed=seed)
        game.red("DiscoverNetworkServices", "User3")
        game.red("ExploitRemoteService", "User3")
        if game.sessions("User3"):
            detected.append(game.game["num_suspects"][HOST["User3"]] == 1)
            assert game.table("User3") == ([1, 1, 0, 1] if detected[-1] else [1, 0, 0, 0])
    assert 0.85 < sum(detected) / len(detected) < 1


def test_a_decoy_is_attacked_in_vain(play: Callable[..., Any]) -> None:
    game = play()
    game.blue("DecoyApache Enterprise0")
    while True:  # until Red tries the web server
        game.red("DiscoverNetworkServices", "Enterprise0")
        game.red("ExploitRemoteService", "Enterprise0")
        if spec.EXPLOITS[game.game["red_exploit"]].name == "HTTPRFI":
            break
        game.blue("Restore Enterprise0")
        game.blue("DecoyApache Enterprise0")
    assert game.game["red_success"] == 0
    assert game.game["num_events"] == 2
    assert game.sessions("Enterprise0") == []


def test_brute_force_guesses_from_user0_and_leaves_no_file(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "Enterprise0")
    game.red("ExploitRemoteService", "Enterprise0")
    assert game.game["num_events"] == 11
    assert [privileged for _, privileged in game.sessions("Enterprise0")] == [False]
    assert game.game["infected_hosts"] == 0
    used = [sum(int(word).bit_count() for word in game.game["used_ports"][HOST[h]]) for h in ("User0", "Enterprise0")]
    assert used == [10, 2]
    assert game.game["num_suspects"].sum() == 0


def test_defender_resists_but_looks_exploited(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "Defender")
    game.red("ExploitRemoteService", "Defender")
    assert game.game["red_success"] == 0
    assert game.game["num_events"] == 10
    assert game.table("Defender") == [1, 1, 0, 1]


def test_on_the_leaderboard_haraka_fails_on_a_restored_host(play: Callable[..., Any]) -> None:
    for profile, expected in (("head", 2), ("leaderboard", 1)):
        for seed in SEEDS:
            game = play(seed=seed, profile=profile)
            game.red("DiscoverNetworkServices", "User3", blue="Restore User3")
            game.red("ExploitRemoteService", "User3")
            if spec.EXPLOITS[game.game["red_exploit"]].name == "HarakaRCE" and game.game["num_events"] == expected:
                assert len(game.sessions("User3")) == expected - 1
                break
        else:
            pytest.fail("no seed tried Haraka")


def test_escalation_makes_one_session_privileged(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "Enterprise0")
    game.red("ExploitRemoteService", "Enterprise0")
    assert game.red("PrivilegeEscalate", "Enterprise0") == -spec.CONFIDENTIALITY_TENTHS[HOST["Enterprise0"]]
    assert [privileged for _, privileged in game.sessions("Enterprise0")] == [True]
    assert game.game["infected_hosts"] == 1 << HOST["Enterprise0"]
    before = game.env.batch.generator_state(0)
    game.red("PrivilegeEscalate", "Enterprise0")
    assert game.game["red_success"] == 1
    assert game.env.batch.generator_state(0) == before


def test_escalation_without_a_session_fails(play: Callable[..., Any]) -> None:
    game = play()
    game.red("PrivilegeEscalate", "Enterprise0")
    assert game.game["red_success"] == 0


def take_op_server(game: Any) -> None:
    """Get a session that is not privileged."""
    for host in ("Enterprise0", "Op_Server0"):
        game.red("DiscoverNetworkServices", host)
        game.red("ExploitRemoteService", host)


def reach_op_server(game: Any) -> None:
    take_op_server(game)
    game.red("PrivilegeEscalate", "Op_Server0")
    assert game.game["ot_known"] == 1


def test_impact_stops_the_ot_service_until_restore_and_never_again(play: Callable[..., Any]) -> None:
    game = play()
    reach_op_server(game)
    assert game.red("Impact", "Op_Server0") == -10 - spec.OT_SERVICE_DOWN_TENTHS
    assert game.game["ot_running"] == 0
    assert game.red("DiscoverRemoteSystems", "User", blue="Restore Op_Server0") == -spec.RESTORE_TENTHS
    assert game.game["ot_running"] == 1
    reach_op_server(game)
    assert game.red("Impact", "Op_Server0") == -10
    assert game.game["red_success"] == 1


def test_impact_needs_a_session_and_the_service(play: Callable[..., Any]) -> None:
    game = play()
    game.red("Impact", "Op_Server0")
    assert game.game["red_success"] == 0
    take_op_server(game)
    game.red("Impact", "Op_Server0")
    assert game.game["red_success"] == 0
    game.game["ot_known"] = 1
    game.red("Impact", "Op_Server0")
    assert game.game["red_success"] == 1
