"""A run's folder without the training; shared memory as a run has it; one event of each kind."""

from __future__ import annotations

import contextlib
import json
import math
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
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.orders import ORDERS
from pipeline.config import Config
from pipeline.observe.csv_log import CsvLog
from pipeline.observe.logs import EVENT_LOG, event_fields, event_name
from pipeline.persist.checkpoint import Checkpoint, CheckpointFolder, SavedPolicy
from pipeline.persist.runs import RunFolder
from pipeline.play.episode import play_episode
from pipeline.play.game import GameSpec
from pipeline.play.record import HEADER
from pipeline.policy.forward import Actor
from pipeline.policy.params import PLAIN, SHARED_POLICY, PolicyShape
from pipeline.policy.store import PolicyStore
from pipeline.types import (
    CheckpointWritten,
    Compiling,
    EpisodesCollected,
    EpisodesLost,
    Estimate,
    Event,
    FirstEpisode,
    OrdersEvaluated,
    PairEffect,
    RunFinished,
    RunStarted,
    Score,
    Settling,
    TiedOrder,
    UpdateResult,
    VisitEnd,
    WorkersStarted,
    WorkflowFinished,
    WorkflowResult,
    WorkflowStarted,
)
from pipeline.workers.shared import WorkerSpec
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

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
                assert board.publish(weights(version, game.shape)) == version
            spec = WorkerSpec(game, ring.name, board.name, num_slots, NUM_SLABS, debug)
            yield Stage(ring, board, spec)

    return open_one


@pytest.fixture(scope="module")
def stage(open_stage: OpenStage) -> Iterator[Stage]:
    """A stage for the tests of a module; each frees the slots that it leased."""
    with open_stage() as opened:
        yield opened
        assert opened.ring.num_free == opened.ring.num_slots


class MakeRun(Protocol):
    def __call__(
        self, policies: Mapping[int, int], best: int | None = None, *, name: str = "run", **options: Any
    ) -> Path: ...


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return what makes a run's folder: with fresh policies, of so many episodes each, one of them the best or none."""

    def make(policies: Mapping[int, int], best: int | None = None, *, name: str = "run", **options: Any) -> Path:
        plain = {"observation_memory": False, "actions": "all"}
        config = Config(log_dir=tmp_path, run_name=name, **{**plain, **options})
        folder = RunFolder.create(config)
        store = PolicyStore(0, "uniform", PolicyShape())  # which has likely actions, as trained ones have
        search = Search(seed=0, beta=2.0, max_episodes_per_workflow=10_000)
        for workflow_id in policies:
            store.get_or_create(workflow_id, warm_start=False)
        visited = {best: 0} if SHARED_POLICY in policies and best is not None else dict(policies)
        visited.pop(SHARED_POLICY, None)  # which is no order
        for workflow_id, num_episodes in visited.items():
            reached = workflow_id == best
            reason: VisitEnd = "threshold" if reached else "cap"
            score = Score(200, Estimate(-12.3, 0.4), 0.97)
            search.finish(WorkflowResult(workflow_id, score, num_episodes, reached, reason))
        saved = (SavedPolicy(key, 0, number, store.tensors(key)) for key, number in policies.items())
        CheckpointFolder(folder.path).write(Checkpoint(search.state(), (None,), tuple(saved), 0, 0, {}))
        folder.close()
        return folder.path

    return make


ORDER = "op_server -> defender -> enterprise -> op_host -> user"
SCORE = Score(200, Estimate(-20.23456, 0.98765), 0.96, Estimate(-18.76543, 0.87654), 0.98)


@pytest.fixture
def update() -> UpdateResult:
    return UpdateResult(
        update=3,
        workflow_id=57,
        workflow_order=ORDER,
        num_episodes=32,
        total_episodes=128,
        env_reward=Estimate(-123.456789, 4.5678),
        alignment_bonus=12.34567,
        total_reward=-111.111119,
        compliance=0.41152,
        avg_fixes=17.127,
        collection_s=1.23456,
        update_s=0.34567,
        policy_loss=-0.0123456789,
        value_loss=1.5,
        entropy=4.97661,
        approx_kl=0.0012344,
        clip_fraction=0.0625,
        num_epochs=4,
        learning_rate=0.00097,
    )


@pytest.fixture
def finished() -> WorkflowFinished:
    return WorkflowFinished(
        iteration=2,
        workflow_order=ORDER,
        ucb_score=-9.87654321,
        part="search",
        result=WorkflowResult(57, SCORE, 640, reached_threshold=True, reason="threshold"),
        gp_updated=True,
        best_workflow=ORDER,
        best_score=SCORE,
    )


@pytest.fixture
def run_finished() -> RunFinished:
    return RunFinished(
        digest="abc",
        profile="head",
        reason="budget",
        episodes=640,
        updates=20,
        wall_s=12.5,
        episodes_per_s=51.2,
        num_observed=30,
        too_few_observed=False,
        best_workflow=ORDER,
        best_score=SCORE,
        posterior_best=ORDER,
        posterior_mean=-20.5,
        posterior_std=1.25,
        tied_with_best=(TiedOrder(ORDER, 0.75, observed=True),),
        pairs=(PairEffect("enterprise", "user", 8.04, 0.31, matters=True),),
        settling=Settling(1, 12.5, 0),
    )


@pytest.fixture
def events(update: UpdateResult, finished: WorkflowFinished, run_finished: RunFinished) -> list[Event]:
    return [
        RunStarted("logs/run", resumed=False),
        Compiling(3.0, 20.0),
        WorkersStarted(0.5),
        WorkflowStarted(2, 57, ORDER, math.nan, resumed_policy=False, part="search"),
        FirstEpisode(1.25),
        EpisodesCollected(3, 7, 32),
        update,
        EpisodesLost(num_episodes=3, num_rebuilds=1),
        CheckpointWritten("logs/run/checkpoint", 128),
        finished,
        OrdersEvaluated(20, (Estimate(-20.5, 0.5), Estimate(-30.25, 1.5)), (0.5, 1.0)),
        run_finished,
    ]


class EndedRun(Protocol):
    def __call__(
        self, name: str, greedy: float | None, rewards: Sequence[float] = (), reason: str = "budget", **values: Any
    ) -> Path:
        """Write the folder of a run.

        Args:
            name: Of the folder.
            greedy: What its defender is worth; None: it names none.
            rewards: Of its updates of 100 episodes each.
            reason: Why it ended.
            **values: Of its configuration.
        """
        ...


@pytest.fixture
def ended_run(tmp_path: Path, update: UpdateResult, run_finished: RunFinished) -> EndedRun:
    def write(
        name: str, greedy: float | None, rewards: Sequence[float] = (), reason: str = "budget", **values: Any
    ) -> Path:
        folder = RunFolder.create(Config(**{"log_dir": tmp_path, "run_name": name, **values}))
        folder.close()
        log = CsvLog(folder.path)
        for index, reward in enumerate(rewards):
            episodes = {"num_episodes": 100, "total_episodes": 100 * (index + 1)}
            log(replace(update, update=index, env_reward=Estimate(reward, 1.0), **episodes))
        log.close()
        score = None if greedy is None else Score(200, Estimate(greedy - 1, 0.5), 0.9, Estimate(greedy, 0.5), 0.95)
        best = None if greedy is None else run_finished.best_workflow
        event = replace(run_finished, reason=reason, best_workflow=best, best_score=score)
        line = {**event_fields(event), "event": event_name(event), "level": "info", "timestamp": "2026-01-01T00:00:00Z"}
        (folder.path / EVENT_LOG).write_text(json.dumps(line) + "\n")
        return folder.path

    return write
