from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from native_buffers.weights import WeightBoard
from pipeline import seeding
from pipeline.cage2.facts.order_names import order_name
from pipeline.cage2.facts.spec import OBSERVATION_SIZE
from pipeline.filling import Filling
from pipeline.learn.learner import Learner, LearnerSettings, Update, VisitOutcome
from pipeline.learn.threads import LearnerThreads
from pipeline.learn.visit import Schedule, Visit, VisitLimits
from pipeline.policy.forward import Actor
from pipeline.policy.params import PLAIN
from pipeline.policy.store import PolicyState, PolicyStore
from pipeline.ppo import update as ppo
from pipeline.ppo.batch import Batch
from pipeline.ppo.recipe import DEFAULT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from pipeline.filling import BatchPlan

TIMEOUT_S = 60
T = 6
B = 3
WORKFLOW = 17
SCHEDULE = Schedule(replace(DEFAULT, num_epochs=1, minibatch_size=9), first_episode=0, num_episodes=10 * B)
FOREVER = VisitLimits(compliance_threshold=2.0, patience=10**6, max_episodes=10**6, budget=10**6)

Record = dict[str, np.ndarray[Any, np.dtype[Any]]]
Weights = np.ndarray[Any, np.dtype[np.float32]]


def settings(policy_lag: int = 1) -> LearnerSettings:
    return LearnerSettings(
        run_seed=1,
        num_steps=T,
        observation_size=OBSERVATION_SIZE,
        episodes_per_update=B,
        policy_lag=policy_lag,
        alignment_lambda=30.0,
        device=torch.device("cpu"),
    )


def episode(weights: Weights, workflow_id: int, index: int, fix: int | None = None) -> Record:
    """An episode of a game that is made up, which depends on nothing but these; `fix` makes all its steps alike."""
    rng = np.random.default_rng([workflow_id, index])
    observation = rng.integers(0, 2, (T + 1, OBSERVATION_SIZE), np.int8)
    actor = Actor(weights, PLAIN)
    steps = [actor.sample(each, workflow_id, rng.random()) for each in observation[:-1]]
    action = np.array([action for action, _ in steps], np.uint8)
    return {
        "observation": observation,
        "action": action,
        "log_prob": np.array([log_prob for _, log_prob in steps], np.float32),
        "reward_tenths": -(action.astype(np.int16) % 50),
        "fix": (action % 3).astype(np.int8) if fix is None else np.full(T, fix, np.int8),
    }


class Players:
    """The collecting side: plays what is asked for in any order, as late as the board allows it."""

    def __init__(self, board: WeightBoard, seed: int = 0, fix: Callable[[int], int | None] = lambda _: None) -> None:
        self.fillings: list[Filling[Batch]] = []
        self.closed: set[int] = set()
        self._board = board
        self._choice = random.Random(seed)  # noqa: S311 - shuffles a test
        self._fix = fix
        self._waiting: list[tuple[Filling[Batch], int]] = []
        self._asked = asyncio.Event()

    @property
    def plans(self) -> list[BatchPlan]:
        return [filling.plan for filling in self.fillings]

    @property
    def open_indices(self) -> set[int]:
        return set(range(len(self.fillings))) - self.closed

    def open(self, plan: BatchPlan, rows: Batch) -> Filling[Batch]:
        assert (rows.num_episodes, rows.num_filled) == (plan.num_episodes, 0)
        assert not any(rows is self.fillings[index].rows for index in self.open_indices)
        index = len(self.fillings)
        filling = Filling(plan, rows, index, lambda: self._close(index))
        self.fillings.append(filling)
        self._waiting += [(filling, row) for row in range(plan.num_episodes)]
        self._asked.set()
        return filling

    def _close(self, index: int) -> None:
        self.closed.add(index)
        self._waiting = [each for each in self._waiting if each[0].batch_index != index]

    def play_one(self, *, in_order: bool = False) -> None:
        """Play one of the episodes that were asked for, by default in no order at all."""
        filling, row = self._waiting.pop(0 if in_order else self._choice.randrange(len(self._waiting)))
        plan, index = filling.plan, filling.plan.first_episode + row
        record = episode(self._board.read(plan.weight_version), plan.workflow_ids[row], index, self._fix(index))
        filling.put(row, record)
        for field in record.values():  # its slot is used again at once
            field[...] = 0

    async def play(self) -> None:
        """Play whatever is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._waiting:
                self.play_one()
                if self._choice.random() < 0.5:
                    await asyncio.sleep(0)  # let the learner in between


class StoppedError(Exception):
    """As when a run is stopped."""


class Watched(Executor):
    """Notes what is asked for whenever the thread is given something: a batch to look at, a batch to learn from."""

    def __init__(self, thread: Executor, players: Players) -> None:
        self.open_indices: list[set[int]] = []
        self._thread = thread
        self._players = players

    def submit(self, *call: Any, **options: Any) -> Future[Any]:
        self.open_indices.append(self._players.open_indices)
        return self._thread.submit(*call, **options)


@pytest.fixture(scope="module")
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1, "test-learner", initializer=torch.set_num_threads, initargs=(1,)) as executor:
        yield executor


class Scene:
    """A learner with its surroundings, and one policy."""

    def __init__(self, board: WeightBoard, players: Players, learner: Learner, policy_lag: int) -> None:
        self.players = players
        self.learner = learner
        self.board = board
        self.policy = fresh_policy()
        self.behavior_weights: deque[Weights] = deque([self.policy.network.actor_weights()], maxlen=policy_lag + 1)
        self.updates: list[Update] = []
        self.visits: list[Visit] = []
        self.stop_after: int | None = None

    def orders(self, update: int, num_episodes: int) -> tuple[int, ...]:
        return (self.policy.workflow_id,) * num_episodes

    async def after_update(self, update: Update, visit: Visit) -> None:
        self.updates.append(update)
        self.visits.append(visit)
        if len(self.updates) == self.stop_after:
            raise StoppedError

    async def train(
        self, limits: VisitLimits, visit: Visit | None = None, stop_after: int | None = None
    ) -> VisitOutcome | None:
        """Train with players beside it; stop after that many updates."""
        self.stop_after = stop_after
        playing = asyncio.create_task(self.players.play())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self.learner.train(
                    self.policy,
                    visit or new_visit(self.policy),
                    limits,
                    SCHEDULE,
                    self.behavior_weights,
                    self.orders,
                    self.after_update,
                )
        except StoppedError:
            return None
        finally:
            playing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await playing

    def assert_nothing_is_open(self) -> None:
        assert self.players.open_indices == set()


@contextlib.asynccontextmanager
async def scene(
    thread: ThreadPoolExecutor, policy_lag: int = 1, seed: int = 0, fix: Callable[[int], int | None] = lambda _: None
) -> AsyncIterator[Scene]:
    with WeightBoard.create(PLAIN.actor.num_values, policy_lag + 3) as board:
        players = Players(board, seed, fix)
        learner = Learner(settings(policy_lag), board.publish, players.open, LearnerThreads(thread, thread, 1))
        yield Scene(board, players, learner, policy_lag)


def fresh_policy(workflow_id: int = WORKFLOW) -> PolicyState:
    return PolicyStore(1, "uniform", PLAIN).get_or_create(workflow_id, warm_start=False)


def new_visit(policy: PolicyState) -> Visit:
    return Visit(
        iteration=0,
        workflow_id=policy.workflow_id,
        ucb_score=0.0,
        first_update=policy.num_updates,
        first_episode=policy.num_episodes,
        budget=10**6,
    )


def limited(num_episodes: int) -> VisitLimits:
    return replace(FOREVER, max_episodes=num_episodes)


def reference(policy: PolicyState, policy_lag: int, batch_sizes: list[int]) -> list[bytes]:
    """Train without a learner: one thing after another. Return the weights after each update, the first ones first."""
    given = settings(policy_lag)
    actors = [policy.network.actor_weights()]
    weights = [bits(policy)]
    for update, num_episodes in enumerate(batch_sizes):
        batch = Batch(num_episodes, T)
        for row in range(num_episodes):
            behavior = actors[max(0, update - policy_lag)]
            record = episode(behavior, policy.workflow_id, policy.num_episodes + row)
            batch.put(row, record, policy.workflow_id)
        generator = seeding.generator(1, seeding.Stream.MINIBATCHES, policy.workflow_id, policy.num_updates)
        progress = SCHEDULE.progress(policy.num_episodes)
        ppo.update(
            policy,
            batch,
            SCHEDULE.recipe,
            alignment_lambda=given.alignment_lambda,
            progress=progress,
            generator=generator,
            device=given.device,
        )
        actors.append(policy.network.actor_weights())
        weights.append(bits(policy))
    return weights


def bits(policy: PolicyState) -> bytes:
    return b"".join(parameter.detach().numpy().tobytes() for parameter in policy.network.parameters())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("policy_lag", [0, 1, 3])
async def test_weights_depend_on_the_lag_and_on_no_order(
    policy_lag: int, seed: int, thread: ThreadPoolExecutor
) -> None:
    expected = thread.submit(reference, fresh_policy(), policy_lag, [B] * 6).result(TIMEOUT_S)
    async with scene(thread, policy_lag, seed) as s:
        outcome = await s.train(limited(6 * B))
        assert bits(s.policy) == expected[-1]
        assert outcome is not None
        assert outcome.num_episodes == s.policy.num_episodes == 6 * B
        # for a checkpoint: what the next updates would be played with
        assert [weights.tobytes() for weights in s.behavior_weights] == [
            each[: PLAIN.actor.num_values * 4] for each in expected[-1 - policy_lag :]
        ]
        s.assert_nothing_is_open()


@pytest.mark.parametrize("policy_lag", [0, 1, 3])
async def test_plans_follow_the_lag(policy_lag: int, thread: ThreadPoolExecutor) -> None:
    async with scene(thread, policy_lag) as s:
        await s.train(limited(6 * B))
        plans = s.players.plans
    # versions are counted from 0: the weights before the first update
    assert [plan.weight_version for plan in plans] == [max(0, update - policy_lag) for update in range(6)]
    assert [(plan.first_episode, plan.num_episodes) for plan in plans] == [(B * update, B) for update in range(6)]
    assert {plan.workflow_ids for plan in plans} == {(WORKFLOW,) * B}


async def test_without_a_lag_nobody_plays_while_it_learns(thread: ThreadPoolExecutor) -> None:
    async with scene(thread, policy_lag=0) as s:
        updates_before: list[int] = []

        def open_batch(plan: BatchPlan, rows: Batch) -> Filling[Batch]:
            updates_before.append(s.policy.num_updates)
            return s.players.open(plan, rows)

        s.learner._open_batch = open_batch
        await s.train(limited(4 * B))
    assert updates_before == [0, 1, 2, 3]


@pytest.mark.parametrize("stop_after", [1, 2, 4])
@pytest.mark.parametrize("policy_lag", [0, 1, 3])
async def test_a_visit_that_was_stopped_goes_on_to_the_same_end(
    policy_lag: int, stop_after: int, thread: ThreadPoolExecutor
) -> None:
    expected = thread.submit(reference, fresh_policy(), policy_lag, [B] * 5).result(TIMEOUT_S)
    async with scene(thread, policy_lag) as stopped:
        assert await stopped.train(limited(5 * B), stop_after=stop_after) is None
        assert bits(stopped.policy) == expected[stop_after]
        stopped.assert_nothing_is_open()
        visit = Visit.from_json(stopped.visits[-1].to_json())
    assert (visit.num_updates, visit.num_episodes) == (stop_after, stop_after * B)

    async with scene(thread, policy_lag, seed=1) as resumed:  # another process, so another board
        resumed.policy = stopped.policy
        resumed.behavior_weights = deque(stopped.behavior_weights, maxlen=policy_lag + 1)
        outcome = await resumed.train(limited(5 * B), visit)
        assert bits(resumed.policy) == expected[-1]
    assert outcome is not None
    assert (outcome.reason, outcome.num_episodes) == ("cap", 5 * B)


async def test_workflows_follow_one_another(thread: ThreadPoolExecutor) -> None:
    expected = [
        thread.submit(reference, fresh_policy(workflow_id), 1, [B, B, B]).result(TIMEOUT_S)[-1]
        for workflow_id in (WORKFLOW, 80)
    ]
    async with scene(thread) as s:
        await s.train(limited(3 * B))
        assert bits(s.policy) == expected[0]
        s.policy = fresh_policy(80)
        s.behavior_weights.clear()
        s.behavior_weights.append(s.policy.network.actor_weights())
        outcome = await s.train(limited(3 * B))
        assert bits(s.policy) == expected[1]
        s.assert_nothing_is_open()
    assert outcome is not None
    assert (outcome.last_update.workflow_id, outcome.last_update.index) == (80, 2)
    assert outcome.last_update.result(6 * B).total_episodes == 6 * B
    assert [plan.workflow_ids for plan in s.players.plans] == [(WORKFLOW,) * B] * 3 + [(80,) * B] * 3


async def test_the_last_batch_is_what_is_left(thread: ThreadPoolExecutor) -> None:
    expected = thread.submit(reference, fresh_policy(), 1, [B, B, 1]).result(TIMEOUT_S)
    async with scene(thread) as s:
        outcome = await s.train(replace(FOREVER, budget=2 * B + 1))
        assert bits(s.policy) == expected[-1]
    assert [plan.num_episodes for plan in s.players.plans] == [B, B, 1]
    assert outcome is not None
    assert (outcome.reason, outcome.num_episodes) == ("budget", 2 * B + 1)
    assert outcome.last_update.batch.num_episodes == 1


async def test_an_update_reports_its_batch(thread: ThreadPoolExecutor) -> None:
    async with scene(thread) as s:
        before = s.policy.network.actor_weights()
        outcome = await s.train(limited(3 * B))
        statistics = s.learner.statistics()
    assert min(statistics.update_s, statistics.wait_s) > 0
    assert outcome is not None
    updates = [*s.updates, outcome.last_update]  # the last one is told by the outcome alone
    assert [update.index for update in updates] == [0, 1, 2]
    rates = [update.metrics.learning_rate for update in updates]
    assert rates == [DEFAULT.learning_rate_at(used) for used in (0.0, 0.1, 0.2)]

    first = Batch(B, T)
    for row in range(B):
        first.put(row, episode(before, WORKFLOW, row), WORKFLOW)
    statistics, update = first.statistics(30.0), updates[0].result(99)
    assert (update.update, update.num_episodes, update.total_episodes) == (0, B, 99)
    assert (update.workflow_id, update.workflow_order) == (WORKFLOW, order_name(WORKFLOW))
    assert update.env_reward == statistics.env_reward
    assert update.alignment_bonus == statistics.alignment_bonus
    assert update.total_reward == statistics.total_reward
    assert (update.compliance, update.avg_fixes) == (statistics.compliance, statistics.avg_fixes)


async def test_a_learned_workflow_drops_what_was_asked_for_ahead(thread: ThreadPoolExecutor) -> None:
    def fix(index: int) -> int:
        return 2 if index >= 2 * B else 1  # compliant from the third batch on

    async with scene(thread, policy_lag=3, fix=fix) as s:
        watched = s.learner._threads.updates = Watched(thread, s.players)
        task = asyncio.create_task(
            s.learner.train(
                s.policy,
                new_visit(s.policy),
                replace(FOREVER, compliance_threshold=0.3),
                SCHEDULE,
                s.behavior_weights,
                s.orders,
                s.after_update,
            )
        )
        await asyncio.sleep(0)
        for _ in range(3 * B):
            s.players.play_one(in_order=True)
        outcome = await asyncio.wait_for(task, TIMEOUT_S)
        assert outcome is not None
        assert (outcome.reason, outcome.num_episodes) == ("threshold", 3 * B)
        assert [update.batch.compliance for update in s.updates] == [0.0, 0.0]
        # the batch that reached it is learned from as well, and nobody plays on while that lasts
        assert (s.policy.num_updates, s.policy.num_episodes) == (3, 3 * B)
        assert watched.open_indices[1::2] == [{3}, {3, 4}, set()]
        s.assert_nothing_is_open()


async def test_nothing_is_asked_for_before_what_is_there_was_looked_at(thread: ThreadPoolExecutor) -> None:
    async with scene(thread, fix=lambda index: 2 if index >= B else 1) as s:
        visit = new_visit(s.policy)
        task = asyncio.create_task(
            s.learner.train(
                s.policy,
                visit,
                replace(FOREVER, compliance_threshold=0.3),
                SCHEDULE,
                s.behavior_weights,
                s.orders,
                s.after_update,
            )
        )
        await asyncio.sleep(0)  # it asks for two batches
        for _ in range(2 * B):
            s.players.play_one()
        outcome = await asyncio.wait_for(task, TIMEOUT_S)
    assert outcome is not None
    assert outcome.num_episodes == 2 * B
    assert len(s.players.plans) == 2


async def test_patience_ends_a_visit(thread: ThreadPoolExecutor) -> None:
    async with scene(thread, policy_lag=0, fix=lambda index: 2 if index < B else 1) as s:
        # the first batch's bonus is out of reach for the others
        outcome = await s.train(replace(FOREVER, patience=2))
    assert outcome is not None
    assert (outcome.reason, outcome.num_episodes) == ("patience", 3 * B)


async def test_a_cancelled_visit_leaves_nothing_open(thread: ThreadPoolExecutor) -> None:
    async with scene(thread, policy_lag=1) as s:
        for num_played in (0, 1, B, 2 * B):  # waiting; filling; in the update, with and without a batch ahead
            task = asyncio.create_task(
                s.learner.train(
                    s.policy, new_visit(s.policy), FOREVER, SCHEDULE, s.behavior_weights, s.orders, s.after_update
                )
            )
            await asyncio.sleep(0)
            for _ in range(num_played):
                s.players.play_one()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, TIMEOUT_S)
            thread.submit(int).result(TIMEOUT_S)  # an update that was begun is over
            s.assert_nothing_is_open()


async def test_a_failed_update_leaves_the_policy_and_nothing_open(thread: ThreadPoolExecutor) -> None:
    async with scene(thread, policy_lag=1) as s:
        before = bits(s.policy)
        task = asyncio.create_task(
            s.learner.train(
                s.policy, new_visit(s.policy), FOREVER, SCHEDULE, s.behavior_weights, s.orders, s.after_update
            )
        )
        await asyncio.sleep(0)
        filling = s.players.fillings[0]
        for row in range(B):
            record = episode(s.behavior_weights[0], WORKFLOW, row)
            record["log_prob"][0] = np.nan
            filling.put(row, record)
        with pytest.raises(ppo.TrainingDivergedError, match=f"workflow {WORKFLOW}, update 0"):
            await asyncio.wait_for(task, TIMEOUT_S)
        assert bits(s.policy) == before
        assert s.policy.num_updates == 0
        s.assert_nothing_is_open()


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), MemoryError(), ValueError("neither 0 nor 1")])
async def test_an_update_that_raises_is_told_with_its_place(
    error: Exception, thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(thread, policy_lag=1) as s:
        assert await s.train(FOREVER, stop_after=1) is None
        before, update = bits(s.policy), ppo.update

        def fail(*_: Any, **__: Any) -> None:
            raise error

        monkeypatch.setattr(ppo, "update", fail)
        with pytest.raises(ppo.UpdateFailedError) as caught:
            await s.train(FOREVER, s.visits[-1])
        assert str(caught.value).startswith(
            f"workflow {WORKFLOW}, update 1: the learner failed: {type(error).__name__}: {error}. The policy keeps"
        )
        assert caught.value.__cause__ is error
        assert bits(s.policy) == before
        assert s.policy.num_updates == 1
        s.assert_nothing_is_open()

        monkeypatch.setattr(ppo, "update", update)
        assert await s.train(FOREVER, s.visits[-1], stop_after=2) is None  # as if it had not been
        assert s.policy.num_updates == 2
