from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.cage2.facts import spec
from pipeline.cage2.show.render import FRAMES_PER_S
from pipeline.replay.ansi import console, show
from tests.pipeline.replay.conftest import NUM_STEPS

if TYPE_CHECKING:
    from pipeline.replay.played import Played


def test_without_a_terminal_each_moment_is_text(played: Played) -> None:
    out = io.StringIO()
    show(played.replay(), Console(file=out, width=100, highlight=False, markup=False), sleep=lambda _: None)
    text = out.getvalue()
    moments = text.split("\nStep ")[1:]
    assert [moment.partition(" ")[0] for moment in moments] == [str(step) for step in range(NUM_STEPS + 1)]
    for step, moment in zip(played.trace.steps, moments[1:], strict=True):
        assert f"Blue {step.blue.action}" in moment
        assert f"Red  {step.red.action}" in moment
        assert all(host in moment for host in spec.HOST_NAMES)
    assert "\x1b" not in text


def test_it_fits_a_terminal_of_80_columns(played: Played) -> None:
    out, waited = io.StringIO(), []
    terminal = Console(file=out, width=80, force_terminal=True, highlight=False, markup=False)
    show(played.replay(), terminal, sleep=waited.append)
    assert waited == [1 / FRAMES_PER_S] * (NUM_STEPS + 1)
    assert "…" not in out.getvalue()


def test_what_looks_like_markup_is_text() -> None:
    shown_on = console()
    with shown_on.capture() as capture:
        shown_on.print("[red]logs[/red]")
    assert capture.get() == "[red]logs[/red]\n"
