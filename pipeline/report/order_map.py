"""The 120 orders as a picture: a row for each beginning, a cell for each order, shaded by what it may be worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, order_name
from pipeline.report.markup import Markup, h

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROWS: Final = 20
"""Two places of five types, in the order of the ids."""
_COLUMNS: Final = NUM_WORKFLOWS // _ROWS
_LEFT: Final = 190
_CELL_WIDTH: Final = 118
_CELL_HEIGHT: Final = 22
_GAP: Final = 6
"""Between orders that begin with different types."""
_SHADES: Final = ((0, 34, 78), (53, 69, 108), (102, 105, 112), (148, 142, 119), (200, 184, 102), (254, 232, 56))
"""Cividis (Nunez, Anderton and Renslow, 2018): the same to all who see colours differently, from dark to light."""
_BRIGHT: Final = 117
"""Brightness, of 255, from which black text can be read better than white."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is known of an order."""

    mean: float | None
    """That it is believed to be worth, in points; None where nothing is."""
    std: float | None
    mark: str
    """A sign for what became of it; see `MARKS`."""
    is_tied: bool
    """It can't be told from the best."""


MARKS: Final = {
    "best": "★",
    "trained": "●",
    "tried": "○",
    "retired": "✕",
    "untried": "",
}
"""What became of an order, and its sign: trained to the threshold, tried and missed, given up."""


def order_map(orders: Sequence[Order]) -> Markup:
    """Return the picture.

    Args:
        orders: `[120]`, by workflow id.
    """
    known = [order.mean for order in orders if order.mean is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    width, height = _LEFT + _COLUMNS * _CELL_WIDTH, _ROWS * _CELL_HEIGHT + 4 * _GAP
    parts = []
    for workflow_id, order in enumerate(orders):
        row, column = divmod(workflow_id, _COLUMNS)
        types = order_name(workflow_id).split(" -> ")
        x, y = _LEFT + column * _CELL_WIDTH, row * _CELL_HEIGHT + row // 4 * _GAP
        if not column:
            parts.append(h("text", f"{types[0]} → {types[1]} →", x=_LEFT - 8, y=y + 15, class_="tick end"))
        shade = None if order.mean is None else _shade((order.mean - low) / ((high - low) or 1.0))
        parts.append(_cell(order, order_name(workflow_id), types[2:], x, y, shade))
    return h("svg", *parts, viewBox=f"0 0 {width} {height}", role="img", aria_label="120 orders", class_="map")


def _cell(order: Order, name: str, rest: Sequence[str], x: int, y: int, shade: tuple[int, int, int] | None) -> Markup:
    is_bright = shade is not None and 0.299 * shade[0] + 0.587 * shade[1] + 0.114 * shade[2] >= _BRIGHT
    worth = "nothing is known" if order.mean is None else f"{order.mean:.1f} ± {order.std:.1f} points"
    return h(
        "g",
        h("title", f"{name}: {worth}{', can not be told from the best' if order.is_tied else ''}"),
        h(
            "rect",
            x=x + 1,
            y=y + 1,
            width=_CELL_WIDTH - 2,
            height=_CELL_HEIGHT - 2,
            rx=3,
            fill="none" if shade is None else f"rgb({','.join(map(str, shade))})",
            class_="cell tied" if order.is_tied else "cell",
        ),
        h(
            "text",
            f"{order.mark} {' '.join(_short(each) for each in rest)}".strip(),
            x=x + _CELL_WIDTH // 2,
            y=y + 15,
            class_="tick middle" if shade is None else f"middle on-{'light' if is_bright else 'dark'}",
        ),
    )


def _short(host_type: str) -> str:
    """Return a type as a cell has room for it: `op_server` is `opS`."""
    return {"op_server": "opS", "op_host": "opH", "defender": "def", "enterprise": "ent", "user": "user"}[host_type]


def _shade(share: float) -> tuple[int, int, int]:
    place = share * (len(_SHADES) - 1)
    low = min(int(place), len(_SHADES) - 2)
    part = place - low
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_SHADES[low], _SHADES[low + 1], strict=True))
    return red, green, blue
