from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine import blue_table
from pipeline.cage2.engine.state import CORRECTED, STOCK, new_games
from pipeline.cage2.engine.tables import port_mask
from pipeline.cage2.facts import spec, table
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {name: index for index, name in enumerate(spec.HOST_NAMES)}


@kernel
def judge(games: Any) -> int:
    return blue_table.judge_events(games[0])


@pytest.mark.parametrize(
    ("ports", "num_events", "shell_pid", "alone", "after_decoy", "corrected"),
    [
        ((80, 443, 22), 3, -1, "Scan", "Scan", "Scan"),  # a scan of many ports
        ((22,), 1, -1, "Scan", "None", "Scan"),  # of one
        ((22, 80), 2, -1, "Scan", "None", "Scan"),  # of two
        ((443,), 2, 99, "Exploit", "Exploit", "Exploit"),  # a shell that was detected
        ((443,), 1, -1, "Scan", "None", "Scan"),  # and one that was not
        ((80,), 2, -1, "Scan", "Exploit", "Exploit"),  # an attack on a decoy
        ((22,), 11, -1, "Exploit", "Exploit", "Exploit"),  # brute force
        ((80, 22), 3, -1, "Scan", "None", "Scan"),  # of two ports, one of them with two decoys
    ],
)
def test_what_events_look_like(
    ports: tuple[int, ...], num_events: int, shell_pid: int, alone: str, after_decoy: str, corrected: str
) -> None:
    games = new_games(1)
    games["event_host"] = 3
    games["event_ports"] = port_mask(ports)
    games["num_events"] = num_events
    games["shell_pid"] = shell_pid
    shown = []
    for decoy_host, table_kind in ((-1, STOCK), (3, STOCK), (3, CORRECTED)):
        games["new_decoy_host"] = decoy_host
        games["table_kind"] = table_kind
        shown.append(table.ACTIVITIES[judge(games)])
    assert shown == [alone, after_decoy, corrected]


def test_nothing_happened_without_events() -> None:
    games = new_games(1)
    games["event_host"] = -1
    games["new_decoy_host"] = 3
    assert judge(games) == table.NONE


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("Remove", "No", "No"),
        ("Remove", "User", "Unknown"),
        ("Remove", "Privileged", "Unknown"),
        ("Restore", "Privileged", "No"),
        ("Restore", "No", "No"),
        ("Analyse", "User", "User"),
        ("DecoyApache", "Unknown", "Unknown"),
    ],
)
def test_what_blues_actions_do_to_the_table(play: Callable[..., Any], action: str, before: str, after: str) -> None:
    game = play()
    game.game["condition"][5] = table.CONDITIONS.index(before)
    game.blue(f"{action} Op_Host1")
    assert table.CONDITIONS[game.game["condition"][5]] == after
    assert game.table("Op_Host1")[2:] == {"No": [0, 0], "Unknown": [1, 0], "User": [0, 1], "Privileged": [1, 1]}[after]


def test_activity_lasts_for_one_step(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "User3")
    assert game.table("User3") == [1, 0, 0, 0]
    game.red("DiscoverRemoteSystems", "User")
    assert game.table("User3") == [0, 0, 0, 0]


def test_an_exploit_turns_privileged_into_user(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "Enterprise0")
    game.game["condition"][HOST["Enterprise0"]] = table.PRIVILEGED
    game.red("ExploitRemoteService", "Enterprise0")
    assert game.table("Enterprise0") == [1, 1, 0, 1]
