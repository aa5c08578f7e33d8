from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.trace.trace import Trace, as_line
from tests.pipeline.trace.conftest import HEADER

TEXT = st.text(max_size=5)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


def test_a_line_is_a_line_and_gives_the_same_again(traces: list[Trace]) -> None:
    for value in (HEADER, *traces):
        line = as_line(value)
        assert line.endswith("\n")
        assert line.count("\n") == 1
        adapter: Any = TypeAdapter(type(value))
        assert adapter.validate_json(line, strict=True) == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_in_it_comes_back(data: st.DataObject, traces: list[Trace]) -> None:
    """Line breaks, quotes and surrogates in names, the largest seeds, the smallest numbers."""
    trace = traces[0]
    step = trace.steps[0]
    blue = replace(
        step.blue,
        choice=data.draw(TEXT),
        probability=data.draw(st.none() | NUMBER),
        likeliest=data.draw(st.dictionaries(TEXT, NUMBER, max_size=3)),
        success=data.draw(st.none() | st.booleans()),
        saw=replace(step.blue.saw, table=data.draw(st.dictionaries(TEXT, st.tuples(TEXT, TEXT), max_size=3))),
    )
    network = replace(
        step.network,
        sessions=data.draw(st.dictionaries(TEXT, st.lists(TEXT, max_size=3).map(tuple), max_size=3)),
        known=tuple(data.draw(st.lists(TEXT, max_size=3))),
    )
    reward = replace(step.reward, total=data.draw(NUMBER), availability=data.draw(st.dictionaries(TEXT, NUMBER)))
    changed = replace(
        trace,
        environment_seed=data.draw(st.integers(0, 2**64 - 1)),
        compliance=data.draw(st.none() | NUMBER),
        steps=(replace(step, blue=blue, network=network, reward=reward),),
    )
    line = as_line(changed)
    assert line.isascii()
    assert line.count("\n") == 1
    assert TypeAdapter(Trace).validate_json(line, strict=True) == changed


def test_what_json_has_not_is_not_written(traces: list[Trace]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        as_line(replace(traces[0], total_reward=float("nan")))


def test_what_blue_was_shown_of_a_step_is_what_it_saw_at_the_next(traces: list[Trace]) -> None:
    trace = traces[0]
    assert trace.saw_after(0) is trace.steps[1].blue.saw
    assert trace.saw_after(len(trace.steps) - 1) is trace.last_saw
    assert trace.steps[0].blue.saw.table == {}


def test_a_header_is_an_object_whose_first_key_tells_the_format() -> None:
    assert next(iter(json.loads(as_line(HEADER)).items())) == ("trace_format", 1)
