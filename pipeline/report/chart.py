"""Curves as a picture: SVG of nothing but numbers, the same for the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.report.markup import Markup, h

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH: Final = 920
HEIGHT: Final = 300
_LEFT: Final = 64
_RIGHT: Final = 16
_TOP: Final = 12
_BOTTOM: Final = 44
_TICKS: Final = 6
"""Of an axis, about."""
_STDERRS: Final = 1.96
"""To either side of a mean: 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Means along an axis."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    stderr: Sequence[float] | None = None
    """Standard errors of `y`; drawn as a band of 95 %."""
    kind: str = "line-0"
    """Class of the picture's style."""


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    ticks: list[tuple[float, str]]
    place: Callable[[float], float]
    """From a value to 0 (at the low end) to 1."""


def chart(curves: Sequence[Curve], x_label: str, y_label: str, *, is_log: bool = False) -> Markup:
    """Return a picture of curves over one axis.

    Args:
        curves: At least one point in all; points that aren't finite are left out.
        x_label: What is along, with its unit.
        y_label: What is up, with its unit.
        is_log: Values are negative rewards, and the axis is one of their logarithm: -10 is as far from -100 as that is
            from -1000. All else is linear.
    """
    points = [(x, y) for curve in curves for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    across = _linear([x for x, _ in points])
    up = _logarithmic([y for _, y in points]) if is_log else _linear([y for _, y in points])

    def x_of(value: float) -> float:
        return _LEFT + across.place(value) * (WIDTH - _LEFT - _RIGHT)

    def y_of(value: float) -> float:
        return HEIGHT - _BOTTOM - up.place(min(max(value, up.low), up.high)) * (HEIGHT - _TOP - _BOTTOM)

    bottom = HEIGHT - _BOTTOM
    along = [(_at(x_of(value)), text) for value, text in across.ticks]
    parts = [
        *(h("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=_at(y_of(v)), y2=_at(y_of(v)), class_="grid") for v, _ in up.ticks),
        *(h("text", text, x=_LEFT - 8, y=_at(y_of(v) + 4), class_="tick end") for v, text in up.ticks),
        *(h("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="axis") for x, _ in along),
        *(h("text", text, x=x, y=bottom + 20, class_="tick middle") for x, text in along),
        h("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=bottom, y2=bottom, class_="axis"),
        h("text", x_label, x=(WIDTH + _LEFT - _RIGHT) / 2, y=HEIGHT - 6, class_="label middle"),
        h("text", y_label, transform=f"translate(14 {(bottom + _TOP) / 2:.0f}) rotate(-90)", class_="label middle"),
    ]
    for curve in curves:
        whole = [place for place, y in enumerate(curve.y) if math.isfinite(y)]
        if curve.stderr is not None and len(whole) > 1:
            band = [(curve.x[i], curve.y[i], _STDERRS * curve.stderr[i]) for i in whole]
            edge = [f"{_at(x_of(x))},{_at(y_of(y + half))}" for x, y, half in band]
            edge += [f"{_at(x_of(x))},{_at(y_of(y - half))}" for x, y, half in reversed(band)]
            parts.append(h("path", d=f"M{'L'.join(edge)}Z", class_=f"band {curve.kind}"))
        line = " ".join(f"{_at(x_of(curve.x[i]))},{_at(y_of(curve.y[i]))}" for i in whole)
        if len(whole) == 1:
            x, y = line.split(",")
            parts.append(h("circle", h("title", curve.label), cx=x, cy=y, r=2, class_=f"dot {curve.kind}"))
        elif whole:
            parts.append(h("polyline", h("title", curve.label), points=line, class_=f"curve {curve.kind}"))
    return h("svg", *parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=f"{y_label} over {x_label}")


def _linear(values: Sequence[float]) -> _Axis:
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 1, high + 1
    step = _nice((high - low) / _TICKS)
    ticks = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return _Axis(low, high, [(tick, _number(tick, step)) for tick in ticks], lambda value: (value - low) / (high - low))


def _logarithmic(values: Sequence[float]) -> _Axis:
    """Return an axis of negative values; those above -1 are at its upper end."""
    best = min(max(values), -1.0)
    low = min(*values, 2 * best)
    round_numbers = [-m * 10.0**e for e in range(7) for m in (1, 2, 5)]
    high = min(number for number in round_numbers if number >= best)
    ticks = [number for number in round_numbers if low <= number <= high]
    spread = math.log(-low) - math.log(-high)
    return _Axis(
        low,
        high,
        [(tick, _number(tick, 1)) for tick in ticks],
        lambda value: (math.log(-low) - math.log(-value)) / spread,
    )


def _nice(step: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at least a step."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * each for each in (1, 2, 5, 10) if power * each >= step * (1 - 1e-9))


def _number(value: float, step: float) -> str:
    digits = max(0, -math.floor(math.log10(step)))
    return f"{value + 0.0:,.{digits}f}".replace("-0", "0", 1) if value == 0 else f"{value:,.{digits}f}"


def _at(value: float) -> str:
    """Return a place to a tenth of a unit, as short as it goes."""
    return f"{value:.1f}".removesuffix(".0")
