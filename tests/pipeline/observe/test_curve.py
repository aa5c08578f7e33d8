from __future__ import annotations

import pytest

from pipeline.observe.curve import NUM_COLUMNS, Curve


def drawn(values: list[float]) -> str:
    curve = Curve()
    for value in values:
        curve.add(value)
    return str(curve)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        ([-50.0], ""),
        ([-100.0, -30.0], "-100.0 ▁█ -30.0"),
        ([-100.0, -30.0, -70.0, -90.0], "-100.0 ▁█▄▂ -30.0"),
        ([-5.0, -5.0, -5.0], "-5.0 ▁▁▁ -5.0"),
    ],
    ids=str,
)
def test_it_goes_from_the_lowest_to_the_highest(values: list[float], text: str) -> None:
    assert drawn(values) == text


def test_a_full_one_has_means_of_twice_as_many_and_goes_on() -> None:
    curve = Curve()
    for value in range(NUM_COLUMNS + 1):
        curve.add(float(value))
    assert curve._means == [2 * each + 0.5 for each in range(NUM_COLUMNS // 2)]
    curve.add(NUM_COLUMNS + 1.0)
    assert curve._means[-1] == NUM_COLUMNS + 0.5


def test_however_many_fit() -> None:
    curve = Curve()
    for value in range(100_000):
        curve.add(float(value))
        assert len(curve._means) <= NUM_COLUMNS
    assert len(curve._means) > NUM_COLUMNS // 2
    steps = {after - before for before, after in zip(curve._means, curve._means[1:], strict=False)}
    assert steps == {curve._size}
    assert curve._means[0] == (curve._size - 1) / 2
