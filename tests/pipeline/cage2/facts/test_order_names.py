from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts import order_names
from pipeline.cage2.facts.spec import HOST_TYPES

workflow_ids = st.integers(0, order_names.NUM_WORKFLOWS - 1)


def test_workflows_are_all_permutations_in_lexicographic_order() -> None:
    assert order_names.NUM_WORKFLOWS == 120
    assert list(order_names.PERMUTATIONS) == sorted(permutations(range(5)))


def test_host_types_are_numbered_as_the_game_lists_them() -> None:
    assert (
        order_names.order_name(0) == " -> ".join(HOST_TYPES) == "defender -> enterprise -> op_server -> op_host -> user"
    )
    assert order_names.order_name(119) == " -> ".join(reversed(HOST_TYPES))


@given(workflow_ids)
def test_a_name_leads_back_to_its_workflow(workflow_id: int) -> None:
    name = order_names.order_name(workflow_id)
    assert order_names.parse_order(name) == workflow_id
    assert order_names.parse_order(f"  {name.replace(' ', '')}\n") == workflow_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "op_server",
        "defender -> enterprise -> op_server -> op_host",
        "defender -> enterprise -> op_server -> op_host -> op_host",
        "defender -> enterprise -> op_server -> op_host -> user -> user",
        "defender; enterprise; op_server; op_host; user",
        "Defender -> enterprise -> op_server -> op_host -> user",
    ],
)
def test_what_is_no_order_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        order_names.UnknownOrderError, match=r"each of the 5 host types once, .*'defender -> enterprise"
    ) as error:
        order_names.parse_order(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("between", [" -> ", "->", " > ", ">", ",", ", ", " ", "  ->\t"])
def test_an_order_may_be_written_as_people_do(between: str) -> None:
    for workflow_id in (0, 57, 119):
        names = order_names.order_name(workflow_id).split(" -> ")
        assert order_names.parse_order(f" {between.join(names)} ") == workflow_id


@pytest.mark.parametrize("workflow_id", [-1, 120])
def test_an_id_out_of_range_does_not_wrap_around(workflow_id: int) -> None:
    with pytest.raises(IndexError, match=f"workflow {workflow_id} does not exist"):
        order_names.order_name(workflow_id)
