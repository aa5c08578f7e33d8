"""Shared memory as a run has it, and what an episode that is written there has to be."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.facts.compliance import Compromised, Verdicts
from pipeline.cage2.facts.orders import ORDERS
from pipeline.collect.episode import play_episode
from pipeline.collect.game import GameSpec
from pipeline.collect.record import HEADER
from pipeline.collect.worker import WorkerSpec
from pipeline.policy.forward import Actor
from pipeline.policy.params import PLAIN, PolicyShape

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_SEED = 7
NUM_SLABS = 4
PLAIN_INTERFACE = Interface()

Record = dict[str, np.ndarray[Any, np.dtype[Any]]]


def weights(version: int, shape: PolicyShape = PLAIN) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Weights of which every version plays in its own way."""
    rng = np.random.default_rng(version)
    return rng.normal(0, 0.3, shape.actor.num_values).astype(np.float32)


@cache
def env() -> CyborgEnv:
    return CyborgEnv("B_lineAgent")


@dataclass(frozen=True)
class Stage:
    """A ring and a board with versions 0 and 1 on it, as this process owns them, and what workers are told of them."""

    ring: EpisodeRing
    board: WeightBoard
    spec: WorkerSpec

    def playing(self, **changes: Any) -> Stage:
        """Return the same stage with another game."""
        return replace(self, spec=replace(self.spec, game=replace(self.spec.game, **changes)))

    def lease(self, workflow_id: int = 0, episode_index: int = 0, weight_version: int = 0, greedy: int = 0) -> int:
        """Lease a slot and ask for an episode in its header."""
        slot = self.ring.lease()
        assert slot is not None
        environment, actions = seeding.episode_seeds(RUN_SEED, workflow_id, [episode_index])
        asked = {
            "episode_index": episode_index,
            "workflow_id": workflow_id,
            "weight_version": weight_version,
            "environment_seed": environment[0],
            "actions_seed": actions[0],
            "greedy": greedy,
            "worker_pid": 0,
            "failed": 0,
        }
        header = self.ring.header(slot)
        for name, value in asked.items():
            header[name][...] = value
        return slot

    def take(self, slot: int) -> Record:
        """Copy a filled slot's record and free the slot."""
        self.ring.consume(slot)
        record = {name: view.copy() for name, view in self.ring.record(slot).items()}
        self.ring.free(slot)
        return record

    def drop(self, *slots: int) -> None:
        """Free slots that were not filled."""
        for slot in slots:
            self.ring.lose(slot)
            self.ring.free(slot)

    def expected(
        self, workflow_id: int = 0, episode_index: int = 0, weight_version: int = 0, greedy: int = 0
    ) -> Record:
        """Play an episode here, in this process, with nothing shared."""
        game = self.spec.game
        layout = game.record
        record = layout.views(memoryview(bytearray(layout.size_bytes)))
        environment, actions = seeding.episode_seeds(RUN_SEED, workflow_id, [episode_index])
        play_episode(
            env(),
            Memory(game.interface),
            Actor(weights(weight_version, game.shape), game.shape),
            Verdicts(ORDERS[workflow_id].tolist(), game.compromised),
            workflow_id=workflow_id,
            environment_seed=int(environment[0]),
            actions_seed=int(actions[0]),
            record=record,
            greedy=bool(greedy),
        )
        return record


class OpenStage(Protocol):
    def __call__(
        self,
        num_steps: int = 100,
        num_slots: int = 8,
        *,
        red_agent: str = "B_lineAgent",
        debug: bool = False,
        interface: Interface = PLAIN_INTERFACE,
    ) -> contextlib.AbstractContextManager[Stage]: ...


@pytest.fixture(scope="session")
def open_stage() -> OpenStage:
    """Return what makes a stage, for as long as a context lasts."""

    @contextlib.contextmanager
    def open_one(
        num_steps: int = 100,
        num_slots: int = 8,
        *,
        red_agent: str = "B_lineAgent",
        debug: bool = False,
        interface: Interface = PLAIN_INTERFACE,
    ) -> Iterator[Stage]:
        game = GameSpec(red_agent, "cyborg", "head", "csle", Compromised.FIXABLE, num_steps, interface)
        with (
            EpisodeRing.create(HEADER, game.record, num_slots, debug=debug) as ring,
            WeightBoard.create(game.shape.actor.num_values, NUM_SLABS) as board,
        ):
            for version in range(2):
                board.publish(version, weights(version, game.shape))
            spec = WorkerSpec(game, ring.name, board.name, num_slots, NUM_SLABS, debug)
            yield Stage(ring, board, spec)

    return open_one


@pytest.fixture(scope="module")
def stage(open_stage: OpenStage) -> Iterator[Stage]:
    """A stage for the tests of a module; each frees the slots that it leased."""
    with open_stage() as opened:
        yield opened
        assert opened.ring.num_free == opened.ring.num_slots
