from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.trace.difference import Difference, first_difference
from tests.pipeline.trace.conftest import recorded

if TYPE_CHECKING:
    from pipeline.trace.trace import Step, Trace


@pytest.fixture(scope="module")
def trace() -> Trace:
    return recorded(3)


def changed(trace: Trace, index: int, change: Any) -> Trace:
    steps = list(trace.steps)
    steps[index] = change(steps[index])
    return replace(trace, steps=tuple(steps))


def test_the_same_game_on_cyborg_does_not_differ(trace: Trace) -> None:
    assert first_difference(trace, recorded(3, engine="cyborg")) is None


def test_another_game_differs_where_it_first_does(trace: Trace) -> None:
    found = first_difference(trace, recorded(4))
    assert found is not None
    assert found.place.startswith("steps[")


@given(st.data())
def test_any_change_of_a_step_is_found_by_its_place(trace: Trace, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(trace.steps) - 1))
    part = data.draw(st.sampled_from(["blue", "red", "reward", "network"]))
    step = trace.steps[index]
    name = data.draw(st.sampled_from([each.name for each in fields(getattr(step, part)) if each.name != "saw"]))

    def change(step: Step) -> Step:
        return replace(step, **{part: replace(getattr(step, part), **{name: "otherwise"})})

    other = changed(trace, index, change)
    here = getattr(getattr(step, part), name)
    assert first_difference(trace, other) == Difference(f"steps[{index}].{part}.{name}", here, "otherwise")


def test_what_blue_saw_is_compared_too(trace: Trace) -> None:
    other = changed(trace, 2, lambda step: replace(step, blue=replace(step.blue, saw=trace.last_saw)))
    found = first_difference(trace, other)
    assert found is not None
    assert found.place.startswith("steps[2].blue.saw.")


def test_a_last_bit_is_a_difference(trace: Trace) -> None:
    probability = trace.steps[0].blue.probability
    assert probability is not None
    nearly = math.nextafter(probability, 1)
    other = changed(trace, 0, lambda step: replace(step, blue=replace(step.blue, probability=nearly)))
    assert first_difference(trace, other) == Difference("steps[0].blue.probability", probability, nearly)
    zero = changed(trace, 0, lambda step: replace(step, reward=replace(step.reward, action=0.0)))
    minus = changed(trace, 0, lambda step: replace(step, reward=replace(step.reward, action=-0.0)))
    assert first_difference(zero, minus) == Difference("steps[0].reward.action", 0.0, -0.0)


def test_a_step_more_is_a_difference(trace: Trace) -> None:
    shorter = replace(trace, steps=trace.steps[:-1])
    last = len(trace.steps) - 1
    assert first_difference(trace, shorter) == Difference(f"steps[{last}]", trace.steps[last], None)


def test_what_is_no_step_comes_last(trace: Trace) -> None:
    assert first_difference(trace, replace(trace, total_reward=1.0)) == Difference(
        "total_reward", trace.total_reward, 1.0
    )
