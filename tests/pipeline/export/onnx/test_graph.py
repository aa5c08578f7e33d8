from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from pipeline.export.onnx.graph import IR_VERSION, OPSET, Graph

if TYPE_CHECKING:
    from collections.abc import Callable

BITS = np.array([[1, 0, 1], [0, 0, 0]], np.int64)
OTHER = np.array([[1, 1, 0], [0, 1, 0]], np.int64)


def test_operators_do_what_numpys_do(runnable: Callable[[bytes], Any]) -> None:
    graph = Graph()
    bits, other = graph.input("bits", "int64", 3), graph.input("other", "int64", 3)
    places = graph.input("places", "int64")
    a, b = bits.astype("bool"), other.astype("bool")
    logic = {"and": a & b, "or": a | b, "not": ~a, "at_least": bits >= other, "any": a.any()}
    table = np.arange(8).reshape(4, 2)
    numbers = {
        "sum": bits + other,
        "product": bits * other,
        "columns": other.columns([2, 0, 2]),
        "rows": graph.rows(table, places),
        "beside": graph.beside([bits, places.as_column()]),
    }
    sizes = {"any": 1, "rows": 2, "beside": 4}
    for name, value in logic.items():
        graph.output(name, value, "bool", sizes.get(name, 3))
    for name, value in numbers.items():
        graph.output(name, value, "int64", sizes.get(name, 3))
    made = runnable(graph.model("all", "1", "", {}))(bits=BITS, other=OTHER, places=np.array([3, 1]))
    expected = {
        "and": BITS & OTHER,
        "or": BITS | OTHER,
        "not": 1 - BITS,
        "at_least": BITS >= OTHER,
        "any": [[1], [0]],
        "sum": BITS + OTHER,
        "product": BITS * OTHER,
        "columns": OTHER[:, [2, 0, 2]],
        "rows": table[[3, 1]],
        "beside": [[1, 0, 1, 3], [0, 0, 0, 1]],
    }
    assert made.keys() == expected.keys()
    for name, value in made.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_a_model_says_what_it_is() -> None:
    graph = Graph()
    one = graph.constant(np.array(1))
    assert graph.constant(np.array(1)) == one != graph.constant(np.array([1]))
    graph.output("more", graph.input("some", "int64", 2) + one, "int64", 2)
    model = onnx.load_from_string(graph.model("small", "0.1", "adds", {"a": "b"}))
    assert (model.producer_name, model.producer_version, model.graph.doc_string) == ("cage2-pipeline", "0.1", "adds")
    assert [(each.key, each.value) for each in model.metadata_props] == [("a", "b")]
    assert [each.version for each in model.opset_import] == [OPSET]
    assert model.ir_version == IR_VERSION
    assert [dimension.dim_param for dimension in model.graph.input[0].type.tensor_type.shape.dim] == ["games", ""]


def test_a_graph_that_contradicts_itself_is_no_model() -> None:
    graph = Graph()
    graph.output("more", graph.input("some", "int64", 2), "int64", 3)
    with pytest.raises(onnx.shape_inference.InferenceError):
        graph.model("wrong", "1", "", {})
