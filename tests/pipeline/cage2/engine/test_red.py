from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine import red
from pipeline.cage2.engine.tables import BASE_PORTS, OPERATIONAL, port_mask
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}
SEEDS = range(40)


@pytest.fixture
def line(play: Callable[..., Any]) -> Callable[..., Any]:
    return lambda seed=0, **options: play("B_lineAgent", seed, **options)


def test_a_sweep_makes_addresses_known(line: Callable[..., Any]) -> None:
    game = line()
    game.red(0)
    assert game.game["red_action"] == red.SWEEP
    assert game.game["known_addresses"] == sum(1 << HOST[f"User{i}"] for i in range(5))
    assert game.game["event_host"] == -1


def test_operational_hosts_are_closed_without_a_foothold(play: Callable[..., Any]) -> None:
    game = play("RedMeanderAgent")
    game.game["known_subnets"] = 1 << OPERATIONAL
    game.blue("Sleep")
    assert game.game["red_success"] == 0
    game.game["swept"] = 0
    game.game["red_hosts"] |= 1 << HOST["Enterprise0"]
    game.blue("Sleep")
    assert game.game["red_success"] == 1
    assert game.game["known_addresses"] >> HOST["Op_Server0"] & 1


def test_a_scan_of_an_unreachable_host_succeeds_and_finds_nothing(line: Callable[..., Any]) -> None:
    game = line()
    before = game.env.batch.generator_state(0)
    game.red(11)
    assert game.game["red_success"] == 1
    assert game.game["red_listing"] == 0
    assert game.game["port_memory"][HOST["Op_Server0"]] == 0
    assert game.env.batch.generator_state(0) == before


def test_a_scan_finds_decoys_and_remembers_them_after_they_are_gone(line: Callable[..., Any]) -> None:
    game = line()
    game.red(1, blue="DecoySSHD User3")
    remembered = game.game["port_memory"][HOST["User3"]]
    assert remembered == BASE_PORTS[HOST["User3"]] | port_mask([22])
    game.red(0, blue="Restore User3")
    assert game.game["port_memory"][HOST["User3"]] == remembered
    game.red(1)
    assert game.game["port_memory"][HOST["User3"]] == BASE_PORTS[HOST["User3"]]


def test_on_the_leaderboard_memory_only_grows(line: Callable[..., Any]) -> None:
    game = line(profile="leaderboard")
    game.red(1, blue="DecoySSHD User3")
    game.red(1, blue="Restore User3")
    assert game.game["port_memory"][HOST["User3"]] == BASE_PORTS[HOST["User3"]] | port_mask([22])


def test_an_exploit_without_a_scan_fails_and_draws_nothing(line: Callable[..., Any]) -> None:
    game = line()
    before = game.env.batch.generator_state(0)
    game.red(2)
    assert game.game["red_success"] == 0
    assert game.game["red_exploit"] == -1
    assert game.env.batch.generator_state(0) == before


def test_a_privileged_victim_gives_a_privileged_shell(line: Callable[..., Any]) -> None:
    """On User3: Haraka runs as root, the web server doesn't, and BlueKeep finds MySQL at its port."""
    seen = set()
    for seed in SEEDS:
        game = line(seed)
        game.red(1)
        game.red(2)
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


def test_some_shells_are_not_detected(line: Callable[..., Any]) -> None:
    detected = []
    for seed in range(150):
        game = line(seed)
        game.red(1)
        game.red(2)
        if game.sessions("User3"):
            detected.append(game.game["num_suspects"][HOST["User3"]] == 1)
            assert game.table("User3") == ([1, 1, 0, 1] if detected[-1] else [1, 0, 0, 0])
    assert 0.85 < sum(detected) / len(detected) < 1


def test_a_decoy_is_attacked_in_vain(line: Callable[..., Any]) -> None:
    game = line()
    game.blue("DecoyApache Enterprise0")
    while True:  # until Red tries the web server
        game.red(4)
        game.red(5)
        if spec.EXPLOITS[game.game["red_exploit"]].name == "HTTPRFI":
            break
        game.blue("Restore Enterprise0")
        game.blue("DecoyApache Enterprise0")
    assert game.game["red_success"] == 0
    assert game.game["num_events"] == 2
    assert game.sessions("Enterprise0") == []


def test_brute_force_guesses_from_user0_and_leaves_no_file(line: Callable[..., Any]) -> None:
    game = line()
    game.red(4)  # Enterprise0, linked to User3
    game.red(5)
    assert game.game["num_events"] == 11
    assert [privileged for _, privileged in game.sessions("Enterprise0")] == [False]
    assert game.game["infected_hosts"] == 0
    used = [sum(int(word).bit_count() for word in game.game["used_ports"][HOST[h]]) for h in ("User0", "Enterprise0")]
    assert used == [10, 2]
    assert game.game["num_suspects"].sum() == 0


def test_defender_resists_but_looks_exploited(play: Callable[..., Any]) -> None:
    game = play("RedMeanderAgent")
    defender = 1 << HOST["Defender"]
    game.game["swept"] = 7
    game.game["scanned"] = game.game["known_addresses"] = defender
    game.game["known_names"] = 0
    game.game["port_memory"][HOST["Defender"]] = port_mask([22])
    game.blue("Sleep")
    assert game.game["red_success"] == 0
    assert game.game["num_events"] == 10
    assert game.table("Defender") == [1, 1, 0, 1]


def test_on_the_leaderboard_haraka_fails_on_a_restored_host(line: Callable[..., Any]) -> None:
    for profile, expected in (("head", 2), ("leaderboard", 1)):
        for seed in SEEDS:
            game = line(seed, profile=profile)
            game.red(1, blue="Restore User3")
            game.red(2)
            if spec.EXPLOITS[game.game["red_exploit"]].name == "HarakaRCE" and game.game["num_events"] == expected:
                assert len(game.sessions("User3")) == expected - 1
                break
        else:
            pytest.fail("no seed tried Haraka")


def test_escalation_makes_one_session_privileged(line: Callable[..., Any]) -> None:
    game = line()
    game.red(4)
    game.red(5)
    assert game.red(6) == -spec.CONFIDENTIALITY_TENTHS[HOST["Enterprise0"]]
    assert [privileged for _, privileged in game.sessions("Enterprise0")] == [True]
    assert game.game["infected_hosts"] == 1 << HOST["Enterprise0"]
    before = game.env.batch.generator_state(0)
    game.red(6)
    assert game.game["red_success"] == 1
    assert game.env.batch.generator_state(0) == before


def test_escalation_without_a_session_fails(line: Callable[..., Any]) -> None:
    game = line()
    game.red(6)
    assert game.game["red_success"] == 0


def reach_op_server(game: Any) -> None:
    for place in (4, 5, 11, 12, 13):
        game.red(place)
    assert game.game["ot_known"] == 1


def test_impact_stops_the_ot_service_until_restore_and_never_again(line: Callable[..., Any]) -> None:
    game = line()
    reach_op_server(game)
    assert game.red(14) == -10 - spec.OT_SERVICE_DOWN_TENTHS
    assert game.game["ot_running"] == 0
    assert game.red(0, blue="Restore Op_Server0") == -spec.RESTORE_TENTHS
    assert game.game["ot_running"] == 1
    reach_op_server(game)
    assert game.red(14) == -10
    assert game.game["red_success"] == 1


def test_impact_needs_a_session_and_the_service(line: Callable[..., Any]) -> None:
    game = line()
    game.red(14)
    assert game.game["red_success"] == 0
    for place in (4, 5, 11, 12):  # a session that is not privileged
        game.red(place)
    game.red(14)
    assert game.game["red_success"] == 0
    game.game["ot_known"] = 1
    game.red(14)
    assert game.game["red_success"] == 1
