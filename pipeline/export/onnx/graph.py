"""An ONNX graph, written as one computes with arrays: `a & ~b` adds a Not and an And to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

OPSET: Final = 17
IR_VERSION: Final = 8
"""Of ONNX 1.12: older than any onnxruntime that this project meets (1.18), and all that a policy needs."""
BATCH: Final = "games"
"""The first size of everything that comes and goes: any number."""
_TYPES: Final = {
    "bool": TensorProto.BOOL,
    "int64": TensorProto.INT64,
    "float64": TensorProto.DOUBLE,
}


@dataclass(frozen=True, slots=True)
class Value:
    """What a node of a graph returns, `[games, ...]`, or a constant.

    Operators broadcast as NumPy's do. `&`, `|` and `~` are for bool alone.
    """

    graph: Graph
    name: str

    def __and__(self, other: Value) -> Value:
        return self.graph.node("And", self, other)

    def __or__(self, other: Value) -> Value:
        return self.graph.node("Or", self, other)

    def __invert__(self) -> Value:
        return self.graph.node("Not", self)

    def __add__(self, other: Value) -> Value:
        return self.graph.node("Add", self, other)

    def __mul__(self, other: Value) -> Value:
        return self.graph.node("Mul", self, other)

    def __ge__(self, other: Value) -> Value:
        return self.graph.node("GreaterOrEqual", self, other)

    def astype(self, dtype: str) -> Value:
        """Return the same values as bool (whether they are other than 0), int64 or float64."""
        return self.graph.node("Cast", self, to=_TYPES[dtype])

    def columns(self, places: Iterable[int]) -> Value:
        """Return some columns of `[games, n]`, in this order; one may come several times."""
        return self.graph.node("Gather", self, self.graph.constant(np.array([*places], np.int64)), axis=1)

    def any(self) -> Value:
        """Return whether any of a row's bits is set: `[games, n]` bool -> `[games, 1]` bool."""
        return self.graph.node("ReduceMax", self.astype("int64"), axes=[1], keepdims=1).astype("bool")

    def as_column(self) -> Value:
        """Return `[games]` as `[games, 1]`."""
        return self.graph.node("Unsqueeze", self, self.graph.constant(np.array([1])))


class Graph:
    """A graph that grows by what is done with its values."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, *sizes: int) -> Value:
        """Return what comes from outside as `[games, *sizes]`."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], [BATCH, *sizes]))
        return Value(self, name)

    def output(self, name: str, value: Value, dtype: str, *sizes: int) -> None:
        """Give a value, `[games, *sizes]`, to the outside by a name of its own."""
        self._nodes.append(helper.make_node("Identity", [value.name], [name], name))
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[dtype], [BATCH, *sizes]))

    def constant(self, array: npt.NDArray[Any]) -> Value:
        """Return an array as a value; the same array is written once."""
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"constant_{len(self._constants)}")
        return Value(self, self._constants[key].name)

    def node(self, operator: str, *inputs: Value, **attributes: Any) -> Value:
        """Return what an operator of ONNX makes of values."""
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, [value.name for value in inputs], [name], name, **attributes))
        return Value(self, name)

    def rows(self, table: npt.NDArray[Any], places: Value) -> Value:
        """Return a row of a table for each game: `[rows, n]`, `[games]` int64 -> `[games, n]`."""
        return self.node("Gather", self.constant(table), places, axis=0)

    def beside(self, values: Iterable[Value]) -> Value:
        """Return the columns of all, one after the other."""
        return self.node("Concat", *values, axis=1)

    def model(self, name: str, version: str, doc: str, metadata: Mapping[str, str]) -> bytes:
        """Return the graph as a model's file, checked.

        Args:
            name: The graph's.
            version: Of this project, which produced it.
            doc: What the model is, for people.
            metadata: Told of it to programs.
        """
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, [*self._constants.values()], doc_string=doc
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="cage2-pipeline",
            producer_version=version,
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString(deterministic=True)
        return content
