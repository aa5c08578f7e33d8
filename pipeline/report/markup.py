"""HTML and SVG, made of elements: whatever is put into one is text, unless it is markup already."""

from __future__ import annotations

import html
from typing import TypeAlias

Content: TypeAlias = "str | int | float | None"


class Markup(str):
    """Text that is HTML or SVG already, and is put in as it is."""

    __slots__ = ()


_EMPTY = frozenset(("meta", "link", "line", "rect", "path", "polyline", "circle"))
"""Elements that hold nothing."""


def h(tag: str, *children: Content, **attributes: Content) -> Markup:
    """Return an element.

    Args:
        tag: Its name.
        *children: What is in it, one after the other; None is left out.
        **attributes: By name, `_` for `-` and one at the end left out (`class_`); those that are None are left out.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _EMPTY and not children:
        return Markup(f"<{tag}{given}/>")
    return Markup(f"<{tag}{given}>{join(*children)}</{tag}>")


def join(*children: Content) -> Markup:
    """Return contents one after the other, as markup."""
    return Markup("".join(_as_markup(child) for child in children if child is not None))


def table(head: list[str], rows: list[list[Content]], caption: str | None = None) -> Markup:
    """Return a table; the first column names its rows, the others hold what is told of them.

    Args:
        head: Of all columns.
        rows: `[rows][columns]`.
        caption: What it is of.
    """
    return h(
        "div",
        h(
            "table",
            None if caption is None else h("caption", caption),
            h("thead", h("tr", *(h("th", name, scope="col") for name in head))),
            h("tbody", *(h("tr", h("th", row[0], scope="row"), *(h("td", each) for each in row[1:])) for row in rows)),
        ),
        class_="scroll",
    )


def _as_markup(child: Content) -> str:
    return child if isinstance(child, Markup) else html.escape(str(child))
