from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.chart import HEIGHT, WIDTH, Curve, chart

VALUES = st.floats(-1e6, 1e6)
POINTS = st.lists(st.tuples(VALUES, VALUES, st.floats(0, 1e5)), min_size=1, max_size=20)


def drawn(svg: str, name: str) -> list[tuple[float, float]]:
    """Return the places of a curve."""
    root = ElementTree.fromstring(svg)  # noqa: S314  # of our own making
    (element,) = [each for each in root.iter() if each.get("class", "").startswith(name)]
    numbers = [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", element.get("points") or element.get("d") or "")]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@given(points=POINTS, is_log=st.booleans())
def test_whatever_is_drawn_stays_in_the_picture(points: list[tuple[float, float, float]], is_log: bool) -> None:
    x, y, stderr = (list(values) for values in zip(*points, strict=True))
    svg = chart([Curve("a <curve>", x, y, stderr)], "episodes", "return", is_log=is_log)
    root = ElementTree.fromstring(svg)  # noqa: S314  # of our own making
    assert "NaN" not in svg
    for name in ("curve", "band") if len(points) > 1 else ():
        assert all(0 <= left <= WIDTH and 0 <= top <= HEIGHT for left, top in drawn(svg, name))
    assert "a <curve>" in [each.text for each in root.iter() if each.tag == "title"]


def test_places_are_proportional_and_what_is_better_is_higher() -> None:
    svg = chart([Curve("a", [0, 5, 10], [-30, -20, -10])], "x", "y")
    (x0, y0), (x1, y1), (x2, y2) = drawn(svg, "curve")
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.11)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert y0 > y2


def test_on_a_logarithmic_axis_equal_factors_are_equally_far() -> None:
    svg = chart([Curve("a", [0, 1, 2], [-1000, -100, -10])], "x", "y", is_log=True)
    (_, y0), (_, y1), (_, y2) = drawn(svg, "curve")
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.11)


def test_a_band_is_95_percent_to_either_side() -> None:
    svg = chart([Curve("a", [0, 1], [0.0, 10.0], [1.0, 1.0])], "x", "y")
    (_, low), (_, high) = drawn(svg, "curve")
    upper, *_ = drawn(svg, "band")[1:2]
    assert high - upper[1] <= (low - high) * 1.96 / 10 + 0.11  # cut off at the picture's edge
    first_upper, first_lower = drawn(svg, "band")[0][1], drawn(svg, "band")[-1][1]
    assert low - first_upper == pytest.approx((low - high) * 1.96 / 10, abs=0.11)
    assert first_lower == low  # cut off


def test_what_is_no_number_is_left_out() -> None:
    svg = chart([Curve("a", [0, 1, 2], [1.0, math.nan, 3.0])], "x", "y")
    assert len(drawn(svg, "curve")) == 2


@pytest.mark.parametrize("y", [[-5.0, -5.0], [0.0, 0.0], [-0.5, -0.2]])
@pytest.mark.parametrize("is_log", [False, True])
def test_equal_values_are_no_special_case(y: list[float], is_log: bool) -> None:
    assert "NaN" not in chart([Curve("a", [3, 3], y)], "x", "y", is_log=is_log)
