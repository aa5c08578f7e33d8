"""What distinct observations and the compiled update are worth: one PPO update, computed in three ways.

    python bench/learner.py [--episodes 32] [--distinct 60 300 3200] [--json]

plain: torch, every step of a minibatch on its own. autograd: torch, on a minibatch's distinct observations (what a GPU
gets). compiled: what the CPU gets. All on one thread and on the same batches; the figures are processor time, the
median of several updates. Most batches are made up so that as many observations are distinct and the commonest are as
common as in games. The last one is of twice as many episodes that an untrained policy has played, with what Blue may
remember and merged actions, which are masked; it is learned from by the recipe `thorough`.

The last columns are the compiled form again, by the clock: all on one thread, and the critic on a thread of its own, as
in a run on more than one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.spec import EPISODE_STEPS, NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.machine import processor
from pipeline.play.game import GameSpec
from pipeline.play.player import Player
from pipeline.play.record import HEADER, read_failure
from pipeline.policy import network
from pipeline.policy.params import PLAIN, PolicyShape
from pipeline.policy.store import PolicyState
from pipeline.ppo import update as ppo
from pipeline.ppo.autograd import AutogradUpdate
from pipeline.ppo.batch import Batch
from pipeline.ppo.compiled.update import CompiledUpdate
from pipeline.ppo.recipe import DEFAULT, THOROUGH
from pipeline.ppo.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    import numpy.typing as npt

    from pipeline.ppo.recipe import Recipe

CPU = torch.device("cpu")
MASKED = Interface(observation_memory=True, actions="merged")
NUM_BITS = 4
"""That are 1 in an observation."""
WORKFLOW_ID = 7


@dataclass(frozen=True, slots=True)
class Case:
    """What an update is of."""

    name: str
    batch: Batch
    shape: PolicyShape
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Row:
    """What an update takes; times are milliseconds, of one core where nothing else is said."""

    batch: str
    num_steps: int
    num_distinct: int
    in_a_minibatch: int
    """Distinct inputs."""
    plain_ms: float
    autograd_ms: float
    compiled_ms: float
    one_thread_ms: float
    """Of the compiled form, by the clock."""
    two_threads_ms: float
    """The same."""


class PlainUpdate(AutogradUpdate):
    """Every step on its own: what each minibatch has are its steps' inputs, equal or not."""

    def distinct(
        self, steps: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the steps' inputs, each its own, and each once."""
        return self._samples.row[steps], np.arange(len(steps)), np.ones(len(steps), np.int64)


def made_up(num_episodes: int, num_distinct: int) -> Batch:
    """Return a batch whose `k`-th commonest observation is `k` times rarer than the commonest, or all are as common."""
    rng = np.random.default_rng(0)
    seen = num_episodes * EPISODE_STEPS
    kinds = np.zeros((num_distinct, OBSERVATION_SIZE), np.int8)
    for kind in kinds:
        kind[rng.choice(OBSERVATION_SIZE, NUM_BITS, replace=False)] = 1
    weights = 1 / np.arange(1, num_distinct + 1)
    drawn = rng.permutation(
        np.arange(seen) % num_distinct
        if num_distinct >= seen
        else np.concatenate(
            [np.arange(num_distinct), rng.choice(num_distinct, seen - num_distinct, p=weights / weights.sum())]
        )
    ).reshape(num_episodes, EPISODE_STEPS)
    batch = Batch(num_episodes, EPISODE_STEPS)
    for row in range(num_episodes):
        record = {
            "observation": kinds[np.append(drawn[row], drawn[row, 0])],
            "action": rng.integers(0, NUM_ACTIONS, EPISODE_STEPS).astype(np.uint8),
            "log_prob": np.full(EPISODE_STEPS, -np.log(NUM_ACTIONS), np.float32),
            "reward_tenths": rng.integers(-20, 1, EPISODE_STEPS).astype(np.int16),
            "fix": rng.integers(0, 3, EPISODE_STEPS).astype(np.int8),
        }
        batch.put(row, record, WORKFLOW_ID)
    return batch


def played(num_episodes: int) -> Batch:
    """Return episodes of an untrained policy with masked actions."""
    shape = PolicyShape.of(MASKED)
    weights = fresh(shape, THOROUGH).network.actor_weights()
    game = GameSpec("Mixed", "fast", "head", "csle", Compromised.FIXABLE, EPISODE_STEPS, MASKED)
    player = Player(game, lambda _: weights)
    header, record = (layout.views(memoryview(bytearray(layout.size_bytes))) for layout in (HEADER, game.record))
    batch = Batch(num_episodes, EPISODE_STEPS, shape.observation_size)
    environment, actions = seeding.episode_seeds(0, 0, range(num_episodes), seeding.Purpose.COMPARISON)
    header["workflow_id"][...] = WORKFLOW_ID
    for row in range(num_episodes):
        header["environment_seed"][...], header["actions_seed"][...] = environment[row], actions[row]
        if not player.play(header, record):
            raise RuntimeError(read_failure(header))
        batch.put(row, record, WORKFLOW_ID)
    return batch


def fresh(shape: PolicyShape, recipe: Recipe) -> PolicyState:
    """Return a policy that has learned nothing yet."""
    return PolicyState(WORKFLOW_ID, network.create(np.random.default_rng(0), recipe.initialisation, shape))


def milliseconds(
    form: type[AutogradUpdate] | type[CompiledUpdate],
    case: Case,
    clock: Callable[[], float] = time.thread_time,
    helper: Executor | None = None,
) -> float:
    """Return how long one update of a fresh policy takes."""
    policy = fresh(case.shape, case.recipe)
    started_s = clock()
    samples = Samples.of(case.batch)
    where = helper if form is CompiledUpdate else CPU
    ppo.update_by(
        form(policy, samples, case.recipe, case.recipe.learning_rate, where),
        policy,
        case.batch,
        samples,
        case.recipe,
        alignment_lambda=30.0,
        progress=0.0,
        generator=np.random.default_rng(0),
    )
    return 1000 * (clock() - started_s)


def measured(case: Case, repeats: int) -> Row:
    """Return a case's row: everything in turn, several times."""
    inputs = Samples.of(case.batch).row
    minibatch = np.random.default_rng(0).permutation(inputs)[: case.recipe.minibatch_size]
    with ThreadPoolExecutor(1) as helper:
        ways = [partial(milliseconds, form, case) for form in (PlainUpdate, AutogradUpdate, CompiledUpdate)]
        ways += [partial(ways[-1], clock=time.perf_counter, helper=each) for each in (None, helper)]
        taken = [[way() for way in ways] for _ in range(repeats)]
    return Row(
        case.name,
        len(inputs),
        len(np.unique(inputs)),
        len(np.unique(minibatch)),
        *(statistics.median(times) for times in zip(*taken, strict=True)),
    )


def cases(num_episodes: int, distinct: list[int]) -> Iterator[Case]:
    """Yield what is measured, with all epochs of each recipe."""
    recipe = replace(DEFAULT, target_kl=float("inf"))
    for num_distinct in distinct:
        yield Case("default", made_up(num_episodes, num_distinct), PLAIN, recipe)
    recipe = replace(THOROUGH, target_kl=float("inf"))
    yield Case("memory, merged, thorough", played(2 * num_episodes), PolicyShape.of(MASKED), recipe)


def main() -> None:
    """Print a line per batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=32, help="episodes of an update")
    parser.add_argument("--distinct", type=int, nargs="+", help="distinct observations (default: 60, 300 and all)")
    parser.add_argument("--repeats", type=int, default=7, help="updates of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    started_s = time.thread_time()
    ppo.warm_up()
    loaded_s = time.thread_time() - started_s
    rows = []
    if not options.json:
        print(f"{processor()}; compiled, or loaded, in {loaded_s:.1f} s\n")
        titles = ("batch", "distinct", "in a minibatch", "plain", "autograd", "compiled", "plain / compiled")
        print(f"| {' | '.join(titles)} | autograd / compiled | one thread | two threads | two / one |")
        print(f"| --- |{' ---: |' * 10}")
    for case in cases(options.episodes, options.distinct or [60, 300, options.episodes * EPISODE_STEPS]):
        row = measured(case, options.repeats)
        rows.append(row)
        if not options.json:
            print(
                f"| {row.batch} | {row.num_distinct:,} of {row.num_steps:,} | {row.in_a_minibatch} "
                f"| {row.plain_ms:.1f} ms | {row.autograd_ms:.1f} ms | {row.compiled_ms:.1f} ms "
                f"| {row.plain_ms / row.compiled_ms:.1f} | {row.autograd_ms / row.compiled_ms:.1f} "
                f"| {row.one_thread_ms:.1f} ms | {row.two_threads_ms:.1f} ms "
                f"| {row.two_threads_ms / row.one_thread_ms:.2f} |",
                flush=True,
            )
    if options.json:
        print(json.dumps({"processor": processor(), "loaded_s": loaded_s, "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()
