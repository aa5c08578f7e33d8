"""A policy as an ONNX model of one step of many games: its network, and its memory as a state that goes in and out.

state, last_action -> memory.act -> memory.see <- observation, num_steps
                                        |
         probabilities, action <- network, next_state
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.export.onnx import memory
from pipeline.export.onnx.graph import Graph
from pipeline.export.onnx.network import choice_probabilities

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from pipeline.cage2.blue.interface import Interface
    from pipeline.export.onnx.graph import Value

MEANINGS: Final = {
    "observation": "Blue's table: the 52 values in {0, 1} of CybORG's `ChallengeWrapper`",
    "last_action": "the id of what Blue did in the step before; -1 where an episode begins",
    "state": "the `next_state` of the step before; where an episode begins it is ignored",
    "num_steps": "steps of the whole episode, by which the policy tells the time",
    "probabilities": "of each action, by its id in CybORG's order",
    "action": "the id of the likeliest, of equally likely ones the first; Blue may do another",
    "next_state": "the `state` of the step that follows, whatever Blue does now",
}
"""Of what comes and goes, by its name."""


def takes(interface: Interface) -> dict[str, tuple[int, ...]]:
    """Return what a policy's model takes, all of it int64: the sizes of each after the first, which is `games`."""
    sizes: dict[str, tuple[int, ...]] = {"observation": (OBSERVATION_SIZE,)}
    columns = memory.state_columns(memory.kinds_of(interface))
    if columns:
        sizes |= {"last_action": (), "state": (len(columns),)}
    if interface.observation_memory:
        sizes["num_steps"] = ()
    return sizes


def returns(interface: Interface) -> dict[str, tuple[int, ...]]:
    """Return what it returns, in the same way: float64 probabilities, else int64."""
    sizes: dict[str, tuple[int, ...]] = {"probabilities": (NUM_ACTIONS,), "action": ()}
    if "state" in takes(interface):
        sizes["next_state"] = takes(interface)["state"]
    return sizes


def policy_model(
    interface: Interface,
    weights: Mapping[str, npt.NDArray[np.float32]],
    version: str,
    facts: Mapping[str, str],
) -> bytes:
    """Return a policy as a model's file. One that remembers nothing takes an observation alone.

    Args:
        interface: What it sees and may do.
        weights: Of its network, by the names of the parameter table, `[out, in]`; its order is folded in.
        version: Of this project.
        facts: What the model's metadata is to say, beside the names of the state's columns.
    """
    graph = Graph()
    told = {name: graph.input(name, "int64", *sizes) for name, sizes in takes(interface).items()}
    seen = told["observation"].astype("bool")
    kinds = memory.kinds_of(interface)
    remembered: memory.Memory = {}
    if kinds:
        remembered, decoyed, analysed = memory.act(graph, kinds, told["state"], told["last_action"])
        if interface.observation_memory:
            memory.see(remembered, decoyed, analysed, seen)
            seen = graph.beside([seen, memory.remembered(graph, remembered, told["num_steps"])])

    probabilities = choice_probabilities(graph, weights, interface.mask, seen)
    if interface.actions == "merged":
        probabilities = _by_id(graph, memory.merged_ids(graph, remembered["faked"]), probabilities)
    values = {
        "probabilities": probabilities,
        "action": graph.node("ArgMax", probabilities, axis=1, keepdims=0),
        **({"next_state": memory.packed(graph, remembered)} if kinds else {}),
    }
    for name, sizes in returns(interface).items():
        graph.output(name, values[name], "float64" if name == "probabilities" else "int64", *sizes)
    columns = {"state": json.dumps(memory.state_columns(kinds))} if kinds else {}
    doc = "\n".join(f"{name}: {MEANINGS[name]}" for name in (*takes(interface), *returns(interface)))
    return graph.model("defender", version, doc, {**facts, **columns})


def _by_id(graph: Graph, ids: Value, by_choice: Value) -> Value:
    """Return `[games, 145]`: values by the ids of the choices that they belong to, and 0 for all other ids."""
    num_games = graph.node("Shape", by_choice, end=1)
    shape = graph.node("Concat", num_games, graph.constant(np.array([NUM_ACTIONS])), axis=0)
    zeros = graph.node("Expand", graph.constant(np.zeros(1)), shape)
    return graph.node("ScatterElements", zeros, ids, by_choice, axis=1)
