"""A game as text, or as a picture: the network, what Red holds of it, what Blue sees of that, and both last actions.

+- User ---+      +- Enterprise -+      +- Operational -+      fill     what Red holds: nothing, a session,
|  host    |      |  host        |      |  host         |               a privileged session
|  host    |------|  host        |------|  host         |      label    what Blue takes the host for
+----------+      +--------------+      +---------------+      frame    whom the last actions were aimed at
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import numpy.typing as npt

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import require
from pipeline.cage2.show.font import ADVANCE, HEIGHT, dots

if TYPE_CHECKING:
    from pipeline.cage2.show.view import HostView, View

RenderMode = Literal["ansi", "rgb_array"]
RENDER_MODES = get_args(RenderMode)
FRAMES_PER_S = 4

Colour = tuple[int, int, int]
Picture = npt.NDArray[np.uint8]

SIZE = (600, 960)
"""Height and width of the picture, in pixels."""
PAPER, INK, FAINT, LINE, PANEL = (250, 250, 247), (33, 37, 41), (110, 117, 125), (173, 181, 189), (255, 255, 255)
BLUE, RED = (28, 100, 200), (214, 40, 40)
HELD = {"None": (226, 240, 228), "User": (255, 214, 140), "Privileged": (244, 150, 140)}
"""Fill of a host, by the strongest of Red's sessions."""
TAKEN_FOR = {"No": (74, 140, 90), "Unknown": (110, 117, 125), "User": (200, 120, 0), "Privileged": (190, 30, 45)}
"""What Blue takes a host for."""

_COLUMNS = {"User": 40, "Enterprise": 355, "Operational": 670}
"""Left edges of the subnets, in the order in which Red gets to them."""
_SUBNET_WIDTH, _SUBNET_TOP, _SUBNET_HEIGHT = 250, 48, 412
_HOST_TOP, _HOST_HEIGHT, _HOST_STEP = 84, 62, 74


def render(view: View, mode: str) -> str | Picture:
    """Return a game as text (`ansi`) or picture (`rgb_array`), by one of `RENDER_MODES`.

    Raises:
        UnknownNameError: `mode` is none of them.
    """
    require("render mode", mode, RENDER_MODES)
    return render_text(view) if mode == "ansi" else render_picture(view)


def render_text(view: View) -> str:
    """Return both last actions, the reward, and CybORG's two tables."""
    blue, red = _actions(view)
    return "\n".join(
        [
            f"Step {view.num_steps}, reward {_reward(view):.1f}",
            f"Blue: {blue}",
            f"Red:  {red}",
            "What Blue sees",
            view.blue_table(),
            "What is the case",
            view.true_table(),
        ]
    )


def render_picture(view: View) -> Picture:
    """Return a picture, `[600, 960, 3]` uint8."""
    picture = np.empty((*SIZE, 3), dtype=np.uint8)
    picture[:] = PAPER
    _write(picture, 40, 16, f"CAGE-2   step {view.num_steps}   reward {_reward(view):.1f}", INK)
    lefts = sorted(_COLUMNS.values())
    for left, right in pairwise(lefts):
        middle = _SUBNET_TOP + _SUBNET_HEIGHT // 2
        _fill(picture, left + _SUBNET_WIDTH, middle - 2, right - left - _SUBNET_WIDTH, 4, LINE)
    blue_target = None if view.blue_action is None or view.blue_action < spec.ANALYSE else _blue_target(view)
    for subnet, left in _COLUMNS.items():
        colour = RED if view.red_target == subnet else LINE
        _box(picture, left, _SUBNET_TOP, _SUBNET_WIDTH, _SUBNET_HEIGHT, PANEL, colour)
        _write(picture, left + 12, _SUBNET_TOP + 12, subnet, INK)
        for place, host in enumerate(host for host in view.hosts if host.subnet == subnet):
            _draw_host(picture, left + 14, _HOST_TOP + place * _HOST_STEP, host, view, blue_target)
    _draw_legend(picture, view)
    return picture


def _draw_host(picture: Picture, left: int, top: int, host: HostView, view: View, blue_target: str | None) -> None:
    width = _SUBNET_WIDTH - 28
    held = "Privileged" if host.privileged else "User" if host.sessions else "None"
    if host.name == view.red_target:
        _box(picture, left - 5, top - 5, width + 10, _HOST_HEIGHT + 10, PANEL, RED)
    _box(picture, left, top, width, _HOST_HEIGHT, HELD[held], BLUE if host.name == blue_target else LINE)
    if host.name == blue_target:
        _box(picture, left + 2, top + 2, width - 4, _HOST_HEIGHT - 4, HELD[held], BLUE)
    _write(picture, left + 10, top + 9, host.name, INK)
    down = host.name == spec.HOST_NAMES[spec.OP_SERVER_INDEX] and not view.ot_service_up
    notes = "OT down" if down else f"{len(host.decoys)} decoy{'s' * (len(host.decoys) > 1)}" if host.decoys else ""
    _write(picture, left + width - 10 - ADVANCE * len(notes), top + 12, notes, RED if down else FAINT, scale=1)
    _fill(picture, left + 10, top + 32, 8, 20, TAKEN_FOR[host.compromised])
    if host.compromised != "No":
        _write(picture, left + 26, top + 36, host.compromised, INK)
    if host.activity != "None":
        _write(picture, left + width - 10 - 2 * ADVANCE * len(host.activity), top + 36, host.activity, RED)


def _draw_legend(picture: Picture, view: View) -> None:
    blue, red = _actions(view)
    for top, name, action, colour in ((474, "Blue", blue, BLUE), (498, "Red", red, RED)):
        _fill(picture, 40, top, 14, 14, colour)
        _write(picture, 64, top, f"{name:5}{action}", INK)
    _fill(picture, 40, 530, SIZE[1] - 80, 1, LINE)
    left = 40
    for text, fill in zip(("Red has no session", "a session", "a privileged one"), HELD.values(), strict=True):
        _box(picture, left, 544, 14, 14, fill, LINE)
        _write(picture, left + 22, 548, text, FAINT, scale=1)
        left += 40 + ADVANCE * len(text)
    _write(picture, left + 20, 548, "frames: targets of the last actions", FAINT, scale=1)
    left = 40
    for text, colour in TAKEN_FOR.items():
        _fill(picture, left, 568, 8, 14, colour)
        label = "Blue takes it for: clean" if text == "No" else text
        _write(picture, left + 16, 572, label, FAINT, scale=1)
        left += 40 + ADVANCE * len(label)


def _actions(view: View) -> tuple[str, str]:
    """Return both last actions, with names for targets."""
    red = view.red_action or "-"
    return view.last_action("Blue") or "-", red if view.red_target is None else f"{red} {view.red_target}"


def _blue_target(view: View) -> str:
    assert view.blue_action is not None  # noqa: S101 - a narrower type, where the caller has looked
    return spec.HOST_NAMES[(view.blue_action - spec.ANALYSE) % spec.NUM_HOSTS]


def _reward(view: View) -> float:
    """Return the reward of the last step, in points."""
    tenths = sum(round(10 * part) for parts in view.reward_breakdown().values() for part in parts)
    if view.num_steps == 0:
        return 0.0
    return (tenths - spec.RESTORE_TENTHS * ((view.blue_action or 0) >= spec.RESTORE)) / 10


# Drawing ----------------------------------------------------------------------------------------------------


def _fill(picture: Picture, left: int, top: int, width: int, height: int, colour: Colour) -> None:
    picture[top : top + height, left : left + width] = colour


def _box(picture: Picture, left: int, top: int, width: int, height: int, fill: Colour, frame: Colour) -> None:
    _fill(picture, left, top, width, height, frame)
    _fill(picture, left + 2, top + 2, width - 4, height - 4, fill)


def _write(picture: Picture, left: int, top: int, text: str, colour: Colour, scale: int = 2) -> None:
    """Write a line, as far as the picture goes."""
    mask = dots(text).repeat(scale, axis=0).repeat(scale, axis=1)[:, : picture.shape[1] - left]
    picture[top : top + HEIGHT * scale, left : left + mask.shape[1]][mask] = colour
