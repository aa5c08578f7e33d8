"""A policy's network as operations of an ONNX graph, in float64 as the other forms compute it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from pipeline.cage2.blue.interface import Mask
    from pipeline.export.onnx.graph import Graph, Value


def choice_probabilities(
    graph: Graph, weights: Mapping[str, npt.NDArray[np.float32]], mask: Mask | None, seen: Value
) -> Value:
    """Return the probability of each choice, `[games, choices]` float64.

    Args:
        graph: Grows.
        weights: By the names of the parameter table, `[out, in]`.
        mask: When choices are useless.
        seen: `[games, seen]` bool: what the policy sees.
    """

    def layer(name: str, inputs: Value) -> Value:
        weight, bias = (graph.constant(weights[f"{name}.{kind}"].astype(np.float64)) for kind in ("weight", "bias"))
        return graph.node("Gemm", inputs, weight, bias, transB=1)

    hidden = graph.node("Tanh", layer("hidden_1", seen.astype("float64")))
    hidden = graph.node("Tanh", layer("hidden_2", hidden))
    logits = layer("head", hidden)
    if mask is not None:
        logits = graph.node("Where", _useless(graph, mask, seen), graph.constant(np.array(-np.inf)), logits)
    return graph.node("Softmax", logits, axis=1)


def _useless(graph: Graph, mask: Mask, seen: Value) -> Value:
    """Return which choices achieve nothing now, `[games, choices]` bool; see `Mask`."""
    needs_cause, can_be_spent = (
        graph.constant(np.array([place is not None for place in places])) for places in (mask.cause, mask.spent)
    )
    cause, spent = (seen.columns(place or 0 for place in places) for places in (mask.cause, mask.spent))
    return (needs_cause & ~cause) | (can_be_spent & spent)
