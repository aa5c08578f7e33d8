from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts import spec
from pipeline.cage2.text.answer import MistakeError, action_of
from pipeline.cage2.text.names import STOCK, renamed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cage2.text.names import Names

NAMES = st.sampled_from([STOCK, renamed(5)])
WRAPPINGS = st.sampled_from(
    [
        *("{}", "  {} \n", "**{}**", "`{}`.", "_{}_", "Action: {}", "_Action:_ {}"),
        "I fear Red.\n\nACTION: *{}*\nDone.",
    ]
)
CASES = st.sampled_from([str, str.upper, str.lower])


@given(NAMES, st.integers(0, spec.NUM_ACTIONS - 1), WRAPPINGS, CASES)
def test_an_action_is_read_however_it_is_written(
    names: Names, action: int, wrapping: str, case: Callable[[str], str]
) -> None:
    assert action_of(wrapping.format(case(names.actions[action])), names) == action


@pytest.mark.parametrize("answer", ["Restore Op Server0", "restore op_server 0", "Restore-Op_Server0"])
def test_a_name_may_be_cut_in_pieces(answer: str) -> None:
    assert STOCK.actions[action_of(answer, STOCK)] == "Restore Op_Server0"


def test_the_last_line_that_says_action_counts() -> None:
    assert action_of("Action: Sleep\nNo, wait. Action: Monitor", STOCK) == spec.MONITOR


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        ("", "You named no action."),
        ("Action:", "You named no action."),
        ("Sleep User1", "Sleep takes no host."),
        ("restore", "Restore needs a host: Restore Defender, say."),
        ("Restore User9", "There is no host 'User9': do you mean User"),
        ("Restore Elsewhere", "There is no host 'Elsewhere'. There are: Defender, Enterprise0,"),
        ("Analyze User1", "There is no action 'Analyze': do you mean Analyse?"),
        ("Decoy User1", "There is no action 'Decoy'"),
        ("7", "There is no action '7'. There are: Sleep, Monitor,"),
        ("I would restore User1", "'I would restore User1' is no action (do you mean Restore User1?): write one alone"),
        ("Sleep, Sleep, Sleep", "'Sleep Sleep Sleep' is no action: write one alone, or in a last line"),
        ("Restöre ☠", "There is no action 'Rest\\xf6re': do you mean Restore?"),
    ],
)
def test_a_mistake_is_explained(answer: str, advice: str) -> None:
    with pytest.raises(MistakeError) as raised:
        action_of(answer, STOCK)
    assert str(raised.value).startswith(advice)


@given(st.text(), NAMES)
def test_any_text_is_an_action_or_a_mistake_that_can_be_shown(answer: str, names: Names) -> None:
    try:
        action, message = action_of(answer, names), ""
    except MistakeError as mistake:
        action, message = 0, str(mistake)
    assert 0 <= action < spec.NUM_ACTIONS
    assert message.isascii()
    assert message.isprintable()
