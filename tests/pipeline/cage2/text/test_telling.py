from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gymnasium
import pytest

from pipeline.cage2.facts.spec import ACTION_NAMES
from pipeline.cage2.text.names import STOCK, renamed
from pipeline.cage2.text.telling import told

if TYPE_CHECKING:
    from pipeline.cage2.show.view import View
from pipeline.cage2.text.answer import _MARK, MistakeError, action_of


def view_after(*actions: str) -> View:
    env: Any = gymnasium.make("pipeline.cage2.gym:Cage2-v0", red_agent="B_lineAgent")
    env.reset(seed=7)
    for action in actions:
        env.step(ACTION_NAMES.index(action))
    view: View = env.unwrapped.view()
    return view


def test_it_tells_what_happened() -> None:
    text = told(
        view_after("DecoyTomcat User0", "DecoyApache User1", "DecoyTomcat User1", "DecoyTomcat User1"), STOCK, 9
    )
    first, last, header, *rows = text.splitlines()
    assert (first, last) == ("Steps left: 5", "You last played: DecoyTomcat User1, which found no room")
    assert header.split() == ["host", "subnet", "activity", "compromised", "decoys"]
    assert [row.split()[0] for row in rows] == list(STOCK.hosts)
    assert rows[8].split()[4:] == ["DecoyTomcat"]
    assert rows[9].split()[4:] == ["DecoyApache,", "DecoyTomcat"]


def test_what_came_of_a_remove_is_not_told() -> None:
    """CybORG reports success of it, and of all but decoys, whatever came of it."""
    text = told(view_after("Remove User1"), STOCK, 100)
    assert text.splitlines()[1] == "You last played: Remove User1"


def test_what_is_told_is_no_answer() -> None:
    """A model that goes on with what it was shown has not chosen what it played before."""
    text = told(view_after("Sleep"), STOCK, 100)
    assert not _MARK.search(text)
    with pytest.raises(MistakeError):
        action_of(f"I wonder.\n{text}", STOCK)


def test_decoys_of_a_kind_are_told_of_once() -> None:
    assert told(view_after(*["DecoyVsftpd User4"] * 5), STOCK, 100).count("DecoyVsftpd") == 2  # the action, the host


def test_what_blue_cannot_know_changes_nothing() -> None:
    view = view_after(*["Sleep"] * 12)
    assert any(host.sessions for host in view.hosts[:8])  # Red has come far
    hidden = replace(
        view,
        hosts=tuple(replace(host, sessions=(), known=False, scanned=False, address="") for host in view.hosts),
        red_action=None,
        red_target=None,
        red_success=None,
        ot_service_up=False,
    )
    assert told(view, STOCK, 100) == told(hidden, STOCK, 100)


def test_a_renaming_tells_the_same_of_each_host() -> None:
    view, names = view_after("DecoyTomcat User0", "Sleep", "Sleep", "Analyse User1"), renamed(11)

    def facts(names_of: Any) -> dict[str, list[str]]:
        rows = [row.split() for row in told(view, names_of, 100).splitlines()[3:]]
        return {STOCK.hosts[names_of.hosts.index(row[0])]: row[2:] for row in rows}

    assert facts(names) == facts(STOCK)
    assert told(view, names, 100).splitlines()[1] == f"You last played: Analyse {names.hosts[9]}"
