from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.blue.interface import MERGED, Interface
from pipeline.cage2.blue.memory import MEMORY, Memory
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.tables import PORTS
from pipeline.cage2.facts.spec import HOST_NAMES, OBSERVATION_SIZE, RED_AGENTS
from pipeline.export.onnx import memory as rules
from pipeline.export.onnx.graph import Graph

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Array = npt.NDArray[Any]

NEW = -1
"""In the place of the last action: an episode begins."""
STEPS = 120


class Game:
    """Episodes of different lengths, one after the other, with what Blue remembers of them by the rules themselves.

    Against no Red tables are drawn, and show what no game would.
    """

    def __init__(self, red_agent: str | None, interface: Interface, seed: int) -> None:
        self.env = FastEnv(red_agent, "head") if red_agent else None
        self.memory = Memory(interface)
        self.rng = np.random.default_rng(seed)
        self.interface = interface
        self.row = np.zeros(interface.observation_size, np.int8)
        self.begin()

    def begin(self) -> None:
        self.num_steps, self.step, self.last_action = int(self.rng.integers(1, 90)), 0, NEW
        self.table = self.env.reset(int(self.rng.integers(1 << 60))) if self.env else self.drawn()
        self.memory.begin(self.num_steps, self.table, self.row)

    def act(self, choice: int) -> None:
        self.last_action = self.memory.act(choice)
        self.table = self.env.step(self.last_action)[0] if self.env else self.drawn()
        self.memory.see(self.table, self.row)
        self.step += 1

    def drawn(self) -> Array:
        return (self.rng.random(OBSERVATION_SIZE) < self.rng.choice([0.01, 0.2])).astype(np.int8)

    def choose(self) -> int:
        """Any action; now and then several decoys on one host, so that some don't fit any more."""
        if self.interface.actions == "all" and self.rng.random() < 0.5:
            kind, host = self.rng.integers(0, 8), self.rng.choice([1, 7, 10])
            return int(28 + 13 * kind + host)
        return int(self.rng.integers(self.interface.num_actions))

    def state(self) -> list[int]:
        return [value for kind in rules.kinds_of(self.interface) for value in self.remembered(kind)]

    def remembered(self, kind: str) -> list[int]:
        """What the rules remember, as the columns of a state."""
        value = self.memory.state[kind][0]
        columns = rules.COLUMNS[kind]
        if set(columns) <= set(HOST_NAMES):
            return [int(value) >> HOST_NAMES.index(host) & 1 for host in columns]
        if columns == ("",):
            return [int(value)]
        at = (column.split(":") for column in columns)
        return [int(value[HOST_NAMES.index(host)]) >> PORTS.index(int(port)) & 1 for host, port in at]


def graph_of(interface: Interface) -> bytes:
    graph, kinds = Graph(), rules.kinds_of(interface)
    num_columns = len(rules.state_columns(kinds))
    state, last_action = graph.input("state", "int64", num_columns), graph.input("last_action", "int64")
    memory, decoyed, analysed = rules.act(graph, kinds, state, last_action)
    if interface.observation_memory:
        table = graph.input("table", "int64", OBSERVATION_SIZE)
        rules.see(memory, decoyed, analysed, table.astype("bool"))
        seen = rules.remembered(graph, memory, graph.input("num_steps", "int64"))
        graph.output("seen", seen, "bool", interface.observation_size - OBSERVATION_SIZE)
    graph.output("ids", rules.merged_ids(graph, memory["faked"]), "int64", len(MERGED))
    graph.output("next_state", rules.packed(graph, memory), "int64", num_columns)
    return graph.model("memory", "1", "", {})


@pytest.mark.parametrize("interface", [Interface(True, "merged"), Interface(True, "all"), Interface(False, "merged")])
def test_it_is_the_memory_itself_step_by_step(interface: Interface, runnable: Callable[[bytes], Any]) -> None:
    """Of all three Reds; a batch whose episodes begin at different times, each on the state that the last one left."""
    run = runnable(graph_of(interface))
    games = [Game(red_agent, interface, seed) for seed in range(4) for red_agent in (*RED_AGENTS, None)]
    kinds = rules.kinds_of(interface)
    state = np.random.default_rng(1).integers(0, 2, (len(games), len(rules.state_columns(kinds))))
    has_been = np.zeros(state.shape, np.bool_)
    for _ in range(STEPS):
        told = run(
            state=state,
            last_action=[game.last_action for game in games],
            num_steps=[game.num_steps for game in games],
            table=np.array([game.table for game in games], np.int64),
        )
        state = told["next_state"]
        has_been |= state != 0
        np.testing.assert_array_equal(state, [game.state() for game in games])
        if interface.observation_memory:
            np.testing.assert_array_equal(told["seen"], [game.row[OBSERVATION_SIZE:] for game in games])
        for game, ids in zip(games, told["ids"], strict=True):
            if interface.actions == "merged":
                before = game.memory.state.copy()
                assert ids.tolist() == [acted(game.memory, choice, before) for choice in range(len(MERGED))]
            if game.step == game.num_steps:
                game.begin()
            else:
                game.act(game.choose())
    names = np.array(rules.state_columns(kinds))
    never, ever = (names[which].tolist() for which in (~has_been.any(axis=0), has_been.any(axis=0)))
    assert all(name.startswith("faked") for name in never)  # decoys that nobody placed, or not in time
    assert {name.partition(" ")[0] for name in ever} == set(kinds)


def acted(memory: Memory, choice: int, before: Array) -> int:
    action = memory.act(choice)
    memory.state[:] = before
    return action


def test_all_that_is_remembered_is_there() -> None:
    of_interface = {"is_merged", "is_seen", "num_actions", "observation_size"}
    told_anew = {"num_steps", "decoyed", "analysed"}
    assert set(rules.COLUMNS) == set(MEMORY.names or ()) - of_interface - told_anew


def test_a_policy_remembers_what_it_needs() -> None:
    assert rules.kinds_of(Interface()) == ()
    assert rules.state_columns(rules.kinds_of(Interface())) == ()
    names = rules.state_columns(rules.kinds_of(Interface(True)))
    assert names[:2] == ("step", "active Defender")
    assert len(set(names)) == len(names)
    assert all(name.startswith("faked ") for name in rules.state_columns(rules.kinds_of(Interface(False, "merged"))))
    assert "faked Enterprise0:25" in names
