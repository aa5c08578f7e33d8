"""The picture of docs/limits.md: for each game, attacker and length, what is out of reach and what has been reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WIDTH: Final = 940
_LEFT, _RIGHT, _TOP, _ROW, _GAP, _FOOT = 260, 20, 58, 26, 10, 40
_LOWEST: Final = -20
"""Where the axis begins; it ends at 0."""
_FONT: Final = 'font-family="system-ui, sans-serif" font-size="13"'
_INK, _FAINT = "#1f2328", "#d0d7de"
_OUT_OF_REACH, _BY_THE_TABLE = "#e5534b", "#f2b8b5"
_NAMES: Final = {"head": "today's game", "leaderboard": "contest's game"}
_ATTACKERS: Final = {"B_lineAgent": "B_line", "RedMeanderAgent": "Meander"}
_MARKS: Final = (
    ("informed", "informed defender", "#1f2328"),
    ("best_trained", "trained here", "#0969da"),
    ("best_published", "published", "#8250df"),
)


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """Return an SVG: a row for each row of `bench/limits.py`, returns from left to right."""
    height = _TOP + len(rows) * _ROW + _GAP * ((len(rows) - 1) // 3) + _FOOT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            *_legend(),
            *_axis(height),
            *(line for place, row in enumerate(rows) for line in _row(place, row)),
            "</svg>\n",
        ]
    )


def _x(value: float) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * (1 - value / _LOWEST), 1)


def _legend() -> Iterator[str]:
    bands = (("out of reach", _OUT_OF_REACH), ("out of reach by the table alone", _BY_THE_TABLE))
    x = 20
    for name, colour in bands:
        yield f'<rect x="{x}" y="14" width="22" height="12" fill="{colour}"/>'
        yield _text(x + 28, 25, name)
        x += 45 + 7 * len(name)
    for mark, name, _ in _MARKS:
        yield _mark(mark, x + 8, 20)
        yield _text(x + 20, 25, name)
        x += 36 + 7 * len(name)


def _axis(height: int) -> Iterator[str]:
    for value in range(_LOWEST, 1, 5):
        x = _x(value)
        yield f'<line x1="{x}" y1="{_TOP - 14}" x2="{x}" y2="{height - _FOOT}" stroke="{_FAINT}"/>'
        yield _text(x, height - _FOOT + 18, str(value), anchor="middle")
    yield _text(_x(_LOWEST / 2), height - 6, "mean return of an episode", anchor="middle")


def _row(place: int, row: dict[str, Any]) -> Iterator[str]:
    y = _TOP + place * _ROW + _GAP * (place // 3)
    if place % 3 == 0:
        yield _text(20, y + 4, f"{_ATTACKERS[row['red_agent']]}, {_NAMES[row['profile']]}")
    yield _text(_LEFT - 12, y + 4, f"{row['steps']} steps", anchor="end")
    by_table, by_all = _x(row["seeing_the_table"]), _x(row["every_defender"])
    yield f'<rect x="{by_table}" y="{y - 7}" width="{by_all - by_table:.1f}" height="14" fill="{_BY_THE_TABLE}"/>'
    yield f'<rect x="{by_all}" y="{y - 7}" width="{_x(0) - by_all:.1f}" height="14" fill="{_OUT_OF_REACH}"/>'
    for mark, _, _ in _MARKS:
        value = row[mark]["mean"] if isinstance(row[mark], dict) else row[mark]
        if value is not None and value >= _LOWEST:
            yield _mark(mark, _x(value), y)
        elif value is not None:
            yield _mark(mark, _x(_LOWEST) + 8, y)
            yield _text(_x(_LOWEST) + 18, y + 4, f"{value:.1f}")


def _mark(mark: str, x: float, y: int) -> str:
    colour = next(colour for name, _, colour in _MARKS if name == mark)
    if mark == "informed":
        return f'<path d="M{x} {y - 7}v14" stroke="{colour}" stroke-width="3"/>'
    if mark == "best_trained":
        return f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>'
    return f'<path d="M{x} {y - 6}l6 6l-6 6l-6-6z" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{_INK}">{text}</text>'
