# ruff: noqa: S311 - Python's generator is what the engine's is compared with
from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine import blue
from pipeline.cage2.engine.state import ATTRIBUTE
from pipeline.cage2.engine.tables import BASE_PORTS, port_mask
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}
ENTERPRISE1 = HOST["Enterprise1"]
USER2 = HOST["User2"]


def give_session(game: Any, host: str, pid: int, *, privileged: bool = False) -> None:
    index = HOST[host]
    game.lists[0, index, game.game["num_sessions"][index]] = pid + privileged * ATTRIBUTE
    game.game["num_sessions"][index] += 1
    game.game["red_hosts"] |= 1 << index
    game.game["privileged_hosts"] |= privileged << index


def suspect(game: Any, host: str, *pids: int) -> None:
    index = HOST[host]
    for pid in pids:
        game.lists[2, index, game.game["num_suspects"][index]] = pid
        game.game["num_suspects"][index] += 1


@pytest.mark.parametrize("action", ["Analyse", "Remove", "Restore"])
@pytest.mark.parametrize(("host", "num_sessions"), [("Defender", 2), ("User1", 1)])
def test_the_choice_of_a_session_is_drawn(play: Callable[..., Any], action: str, host: str, num_sessions: int) -> None:
    game = play(seed=3)
    rng = random.Random()
    rng.setstate(game.env.batch.generator_state(0))
    game.blue(f"{action} {host}")
    rng.choice(range(num_sessions))
    assert game.env.batch.generator_state(0) == rng.getstate()
    assert game.game["blue_success"] == blue.SUCCESS


@pytest.mark.parametrize("action", ["Sleep", "Monitor"])
def test_actions_on_no_host_draw_nothing(play: Callable[..., Any], action: str) -> None:
    game = play()
    before = game.env.batch.generator_state(0)
    game.blue(action)
    assert game.env.batch.generator_state(0) == before


def test_analyse_finds_a_file_even_after_the_shell_is_gone(play: Callable[..., Any]) -> None:
    game = play()
    game.game["infected_hosts"] = 1 << ENTERPRISE1
    game.blue("Analyse Enterprise1")
    assert game.table("Enterprise1") == [0, 0, 1, 1]
    game.blue("Analyse Enterprise2")
    assert game.table("Enterprise2") == [0, 0, 0, 0]


def test_analyse_comes_before_red(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "User3")
    game.red("ExploitRemoteService", "User3", blue="Analyse User3")
    assert game.table("User3")[2:] != [1, 1]
    assert game.game["infected_hosts"] >> HOST["User3"] & 1


def test_remove_stops_suspected_unprivileged_sessions_only(play: Callable[..., Any]) -> None:
    game = play()
    for pid, privileged in ((11, False), (22, True), (33, False)):
        give_session(game, "Enterprise1", pid, privileged=privileged)
    suspect(game, "Enterprise1", 11, 22, 99, 11)
    game.blue("Remove Enterprise1")
    assert game.sessions("Enterprise1") == [(22, True), (33, False)]
    assert game.env.red_hosts() >> ENTERPRISE1 & 1


def test_remove_of_the_last_session_frees_the_host(play: Callable[..., Any]) -> None:
    game = play()
    give_session(game, "Enterprise1", 11)
    suspect(game, "Enterprise1", 11)
    game.blue("Remove Enterprise1")
    assert game.env.red_hosts() == 1 << spec.RED_FOOTHOLD_INDEX


def test_remove_of_a_decoy_on_record_starts_it_again(play: Callable[..., Any]) -> None:
    game = play()
    game.blue("DecoyApache User2")
    game.blue("DecoyTomcat User2")
    [(pid, _), other] = game.decoys("User2")
    suspect(game, "User2", pid)
    game.blue("Remove User2")
    assert game.decoys("User2")[0] == other
    new_pid, name = game.decoys("User2")[1]
    assert name == "DecoyApache"
    assert new_pid != pid
    assert game.game["decoy_pid"][USER2][0] == pid  # the record keeps the old one,
    suspect(game, "User2", new_pid)
    game.blue("Remove User2")
    assert game.decoys("User2") == [other]  # so the new one is not put back
    assert game.game["listening"][USER2] == BASE_PORTS[USER2] | port_mask([443])


def test_remove_spares_a_privileged_decoy(play: Callable[..., Any]) -> None:
    game = play()
    game.blue("DecoyFemitter User2")
    [(pid, name)] = game.decoys("User2")
    suspect(game, "User2", pid)
    game.blue("Remove User2")
    assert game.decoys("User2") == [(pid, name)]


def test_restore_puts_a_host_back(play: Callable[..., Any]) -> None:
    game = play()
    listening = game.game["listening"].copy()
    game.blue("DecoyApache User1")
    give_session(game, "User1", 11, privileged=True)
    suspect(game, "User1", 11)
    game.game["infected_hosts"] = 1 << HOST["User1"]
    game.game["used_ports"][HOST["User1"]] = 1
    assert game.blue("Restore User1") == -spec.RESTORE_TENTHS
    assert game.sessions("User1") == []
    assert game.decoys("User1") == []
    assert game.game["infected_hosts"] == 0
    assert not game.game["used_ports"][HOST["User1"]].any()
    assert (game.game["decoy_pid"] == -1).all()
    assert (game.game["listening"] == listening).all()
    assert game.game["num_suspects"][HOST["User1"]] == 1  # which nothing clears


def test_restore_of_user0_leaves_reds_first_session(play: Callable[..., Any]) -> None:
    game = play()
    [first] = game.sessions("User0")
    give_session(game, "User0", 11)
    game.blue("Restore User0")
    assert game.sessions("User0") == [first]
    assert game.env.red_hosts() == game.game["privileged_hosts"] == 1 << spec.RED_FOOTHOLD_INDEX


def test_restore_makes_the_ot_service_immune(play: Callable[..., Any]) -> None:
    game = play()
    for field in ("ot_running", "ot_active"):
        game.game[field] = 0
    game.blue("Restore Op_Server0")
    assert game.game["ot_running"] == game.game["ot_active"] == 1
    assert game.game["ot_on_record"] == 0


def test_a_decoy_needs_its_port(play: Callable[..., Any]) -> None:
    game = play()
    game.blue("DecoyApache Op_Server0")
    assert game.game["blue_success"] == blue.SUCCESS
    game.blue("DecoyApache Op_Server0")
    assert game.game["blue_success"] == blue.FAILURE
    assert [name for _, name in game.decoys("Op_Server0")] == ["DecoyApache"]


def test_vsftpd_stacks_and_blocks_apache(play: Callable[..., Any]) -> None:
    game = play()
    for _ in range(3):
        game.blue("DecoyVsftpd Op_Server0")
    [(first, _), *rest] = game.decoys("Op_Server0")
    assert len(rest) == 2
    assert game.game["decoy_pid"][HOST["Op_Server0"]][7] == first
    game.blue("DecoyApache Op_Server0")
    assert game.game["blue_success"] == blue.FAILURE


def test_a_decoy_draws_its_pid_if_it_fits(play: Callable[..., Any]) -> None:
    game = play(seed=4)
    rng = random.Random()
    rng.setstate(game.env.batch.generator_state(0))
    game.blue("DecoySmss Op_Server0")  # is for Windows
    rng.choice([0])
    assert game.env.batch.generator_state(0) == rng.getstate()
    game.blue("DecoySSHD User2")
    rng.choice([0])
    rng.choice([0])
    assert game.decoys("User2") == [(rng.randrange(32768), "DecoySSHD")]
    assert game.env.batch.generator_state(0) == rng.getstate()
