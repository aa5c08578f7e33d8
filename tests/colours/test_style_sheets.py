"""Text and pictures can be read in both themes, and by people who see fewer colours.

Contrast is WCAG 2.2's (1.4.3: 4.5 for text; 1.4.11: 3 for what is needed to understand a picture). Colours that tell
things apart are at least as far from one another as the nearest of Okabe and Ito's, to whom they look most alike.
"""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.report.order_map import Order, order_map
from tests.colours.sight import contrast, least_distance, rgb

TEXT, PICTURE = 4.5, 3.0
OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
LINES = tuple(f"line-{each}" for each in range(6))
SHEETS = {"watch": "style.css", "report": "report.css", "replay": "replay.css"}


def colours(part: str, *, dark: bool) -> dict[str, str]:
    """Return a style sheet's variables; its first two blocks of them are the light and the dark theme."""
    css = (files(f"pipeline.{part}") / "static" / SHEETS[part]).read_text()
    light, after_dark = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r"\{([^{}]*--[^{}]*:[^{}]*)\}", css)[:2]
    ]
    assert light.keys() == after_dark.keys()
    return after_dark if dark else light


READ = [
    # names of colours, on which ground, and the least contrast
    ("watch", ("text", "soft", "accent", "good", "bad"), ("page", "panel", "warn"), TEXT),
    ("watch", LINES, ("page", "panel"), PICTURE),
    ("watch", ("accent",), ("track",), PICTURE),
    ("report", ("text", "soft", "line-0"), ("page", "panel"), TEXT),  # links have line-0
    ("report", (*LINES, "frame"), ("page", "panel"), PICTURE),
    ("replay", ("ink", "faint", "blue", "red", "purple"), ("paper", "panel"), TEXT),
    ("replay", ("ink", "faint", "red", "purple"), ("user-fill", "privileged-fill"), TEXT),  # on a host that Red holds
    ("replay", ("blue", "user", "green"), ("paper", "panel", "user-fill"), PICTURE),
    ("replay", ("red", "purple", "green"), ("privileged-fill",), PICTURE),
    ("replay", ("paper",), ("blue", "red"), TEXT),  # on flags and moves
]  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("part", "names", "grounds", "least"), READ, ids=str)
def test_it_can_be_read(part: str, names: tuple[str, ...], grounds: tuple[str, ...], least: float, dark: bool) -> None:
    theme = colours(part, dark=dark)
    ratios = {(name, ground): contrast(rgb(theme[name]), rgb(theme[ground])) for name in names for ground in grounds}
    assert {each: ratio for each, ratio in ratios.items() if ratio < least} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_letter_on_a_session_can_be_read(dark: bool) -> None:
    assert contrast(rgb("#1d232b"), rgb(colours("replay", dark=dark)["user"])) >= TEXT


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("part", "names"),
    [("watch", LINES), ("report", LINES), ("replay", ("blue", "red", "user", "green", "purple"))],
    ids=str,
)
def test_colours_are_told_apart_by_those_who_see_fewer(part: str, names: tuple[str, ...], dark: bool) -> None:
    theme = colours(part, dark=dark)
    assert least_distance(theme[name] for name in names) >= least_distance(OKABE_ITO)


def test_the_measures_are_those_of_the_literature() -> None:
    assert contrast(rgb("#ffffff"), rgb("#000000")) == pytest.approx(21)
    assert contrast(rgb("#767676"), rgb("#ffffff")) == pytest.approx(4.54, abs=0.005)  # WCAG's own example
    assert least_distance(["#000000", "#ffffff"]) == pytest.approx(100, abs=0.01)
    assert least_distance(OKABE_ITO) == pytest.approx(17.88, abs=0.01)
    assert least_distance(["#ff0000", "#7f7f00"]) < 40 < least_distance(["#ff0000", "#0000ff"])  # red and olive


def test_what_stands_in_a_cell_of_the_map_can_be_read() -> None:
    made = order_map([Order(float(mean), 1.0, "", is_tied=False) for mean in range(NUM_WORKFLOWS)])
    css = (files("pipeline.report") / "static" / "report.css").read_text()
    text = {name: rgb(colour) for name, colour in re.findall(r"\.(on-\w+) \{ fill: (#[0-9a-f]{6});", css)}
    cells = re.findall(r'fill="rgb\((\d+),(\d+),(\d+)\)".*?class="middle (on-\w+)"', made)
    assert len(cells) == NUM_WORKFLOWS
    assert {name for *_, name in cells} == text.keys()
    assert min(contrast(map(int, shade), text[name]) for *shade, name in cells) >= TEXT
