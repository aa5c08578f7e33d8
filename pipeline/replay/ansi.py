"""An episode in a terminal: it plays by itself, or stands there as text where there is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.cage2.show.render import FRAMES_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from pipeline.replay.episode import Frame, Host, Move, Replay, Thought

_HELD: Final = {"None": ("·", ""), "User": ("U", "black on yellow"), "Privileged": ("P", "white on red")}
_TAKEN_FOR: Final = {"No": "clean", "Unknown": "unkn.", "User": "user", "Privileged": "priv."}
_NUM_LIKELIEST: Final = 4
WIDTH: Final = 100
"""Columns where there is no terminal, which has a width of its own."""


def console() -> Console:
    """Return what prints a replay on stdout."""
    shown_on = Console(highlight=False, markup=False)  # names of folders may look like markup
    if not shown_on.is_terminal:
        shown_on.width = WIDTH
    return shown_on


def show(replay: Replay, console: Console, sleep: Callable[[float], None] = time.sleep) -> None:
    """Play a replay, `FRAMES_PER_S` steps a second; without a terminal print each moment at once.

    Args:
        replay: The episode.
        console: Where; what it prints is taken as it is.
        sleep: Waits so many seconds.
    """
    console.print(Text(replay.which))
    if not console.is_terminal:
        for frame in replay.frames:
            console.print(_moment(replay, frame))
        return
    with Live(console=console, auto_refresh=False) as live:
        for frame in replay.frames:
            live.update(_moment(replay, frame), refresh=True)
            sleep(1 / FRAMES_PER_S)


def _moment(replay: Replay, frame: Frame) -> RenderableType:
    hosts = {host.name: host for host in frame.hosts}
    network = Table.grid(padding=(0, 1))
    for name, _, _ in replay.subnets:
        network.add_column(name, header_style="bold", no_wrap=True)
    network.show_header = True
    columns = [[_host(frame, hosts[name]) for name in names] for _, _, names in replay.subnets]
    for place in range(max(map(len, columns))):
        network.add_row(*(column[place] if place < len(column) else Text() for column in columns))
    lines = [
        Text(f"Step {frame.step} of {replay.num_steps}, reward {frame.reward:z.1f}, return {frame.total:z.1f}", "bold"),
        _side("Blue", "blue", frame.blue, " (not compliant)" if frame.verdict == "not_compliant" else ""),
        _side("Red", "red", frame.red, ""),
    ]
    return Group(*lines, network, _thought(frame.thought), Text())


def _side(name: str, colour: str, move: Move | None, note: str) -> Text:
    text = Text(f"{name:5}", f"bold {colour}")
    if move is None:
        return text.append("-", "not bold default")
    target = "" if move.target is None else f" {move.target}"
    failed = ", failed" if move.success is False else ""
    return text.append(f"{move.action}{target}{failed}{note}", "not bold default")


def _host(frame: Frame, host: Host) -> Text:
    letter, style = _HELD[host.held]
    text = Text.assemble((f" {letter} ", style), f" {host.name:11}")
    aims = [
        side for side, move in (("B", frame.blue), ("R", frame.red)) if move is not None and move.target == host.name
    ]
    text.append(f"{''.join(aims):2} ", "bold")
    text.append(f"{_TAKEN_FOR[host.taken_for]:6}")
    text.append(f"{len(host.decoys)}d" if host.decoys else "  ", "dim")
    return text


def _thought(thought: Thought | None) -> Text:
    if thought is None:
        return Text("The episode is over.")
    text = Text(f"Next: {thought.choice}")
    likeliest = ", ".join(f"{choice} {share:.0%}" for choice, share in thought.likeliest[:_NUM_LIKELIEST])
    if likeliest:
        text.append(f"   ({likeliest})", "dim")
    if thought.value is not None:
        text.append(f"   value {thought.value:z.1f}", "dim")
    return text
