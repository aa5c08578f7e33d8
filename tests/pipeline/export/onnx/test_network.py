from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.export.form import folded_weights
from pipeline.export.onnx.graph import Graph
from pipeline.export.onnx.network import choice_probabilities
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.export.conftest import MakeTrained


@pytest.mark.parametrize("interface", [Interface(True, "merged"), Interface()])
def test_it_gives_what_the_policys_own_network_gives(
    interface: Interface, make_trained: MakeTrained, runnable: Callable[[bytes], Any]
) -> None:
    trained = make_trained(interface.observation_memory, interface.actions)
    graph = Graph()
    seen = graph.input("seen", "int64", interface.observation_size).astype("bool")
    probabilities = choice_probabilities(graph, folded_weights(trained), interface.mask, seen)
    graph.output("probabilities", probabilities, "float64", interface.num_actions)
    rows = np.random.default_rng(0).integers(0, 2, (50, interface.observation_size))
    made = runnable(graph.model("network", "1", "", {}))(seen=rows)["probabilities"]
    actor = Actor(trained.weights, PolicyShape.of(interface))
    expected = np.exp([actor.distribution(row.astype(np.int8), trained.workflow_id)[0] for row in rows])
    np.testing.assert_allclose(made, expected, atol=1e-5)
    np.testing.assert_array_equal(made == 0, expected == 0)
    assert (made == 0).any() == (interface.mask is not None)
