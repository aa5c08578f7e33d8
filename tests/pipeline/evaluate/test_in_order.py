from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluate.in_order import InOrder


@given(st.permutations(range(8)))
def test_texts_are_handed_on_in_order_as_soon_as_they_can_be(places: list[int]) -> None:
    written: list[str] = []
    in_order = InOrder(written.append)
    for number, place in enumerate(places, start=1):
        in_order.put(place, str(place))
        there = set(places[:number])
        num_whole = next(each for each in range(9) if each not in there)
        assert written == [str(each) for each in range(num_whole)]
