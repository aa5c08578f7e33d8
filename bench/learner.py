"""What distinct observations and the compiled update are worth: one PPO update, computed in three ways.

    python bench/learner.py [--episodes 32] [--distinct 60 300 3200]

plain: torch, every step of a minibatch on its own. autograd: torch, on a minibatch's distinct observations (what a GPU
gets). compiled: what the CPU gets. All on one thread and on the same batches, made up so that as many observations are
distinct and the commonest are as common as in games; the figures are processor time, the median of several updates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.cage2.facts.spec import EPISODE_STEPS, NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.policy import network
from pipeline.policy.store import PolicyState
from pipeline.ppo import update as ppo
from pipeline.ppo.autograd import AutogradUpdate
from pipeline.ppo.batch import Batch
from pipeline.ppo.compiled.update import CompiledUpdate
from pipeline.ppo.recipe import DEFAULT
from pipeline.ppo.samples import Samples

if TYPE_CHECKING:
    import numpy.typing as npt

CPU = torch.device("cpu")
RECIPE = replace(DEFAULT, target_kl=float("inf"))
"""The default recipe, with all of its epochs."""
NUM_BITS = 4
"""That are 1 in an observation."""
WORKFLOW_ID = 7


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


def milliseconds(form: type[AutogradUpdate] | type[CompiledUpdate], batch: Batch) -> float:
    """Return how long one update of a fresh policy takes."""
    policy = PolicyState(WORKFLOW_ID, network.create(np.random.default_rng(0), RECIPE.initialisation))
    started_s = time.thread_time()
    samples = Samples.of(batch)
    device = () if form is CompiledUpdate else (CPU,)
    ppo.update_by(
        form(policy, samples, RECIPE, RECIPE.learning_rate, *device),
        policy,
        batch,
        samples,
        RECIPE,
        alignment_lambda=30.0,
        progress=0.0,
        generator=np.random.default_rng(0),
    )
    return 1000 * (time.thread_time() - started_s)


def main() -> None:
    """Print a line per number of distinct observations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=32, help="episodes of an update")
    parser.add_argument("--distinct", type=int, nargs="+", help="distinct observations (default: 60, 300 and all)")
    parser.add_argument("--repeats", type=int, default=7, help="updates of each kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    started_s = time.thread_time()
    ppo.warm_up()
    print(f"compiled, or loaded, in {time.thread_time() - started_s:.1f} s\n")
    print("| distinct | in a minibatch | plain | autograd | compiled | plain / compiled | autograd / compiled |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for num_distinct in options.distinct or (60, 300, options.episodes * EPISODE_STEPS):
        batch = made_up(options.episodes, num_distinct)
        row = Samples.of(batch).row
        minibatch = np.random.default_rng(0).permutation(row)[: RECIPE.minibatch_size]
        taken = {form: [] for form in (PlainUpdate, AutogradUpdate, CompiledUpdate)}
        for _ in range(options.repeats):
            for form, times in taken.items():
                times.append(milliseconds(form, batch))
        plain, autograd, compiled = (statistics.median(times) for times in taken.values())
        print(
            f"| {len(np.unique(row)):,} of {len(row):,} | {len(np.unique(minibatch))} | {plain:.1f} ms "
            f"| {autograd:.1f} ms | {compiled:.1f} ms | {plain / compiled:.1f} | {autograd / compiled:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
