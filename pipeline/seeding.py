"""The only place where seeds are made.

Every random number of a run comes from its seed through a *stream*: a name for one purpose, and the indices that
single out one use of it. Streams are independent (`numpy.random.SeedSequence`), so nothing that is added to one
moves another, and none depends on time, process or completion order.

Episodes need millions of seeds, too many for a `SeedSequence` each. Theirs come from SplitMix64 (Steele, Lea and
Flood, 2014), keyed by the stream and counted by the episode's index: stateless, and the same in compiled code.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
"""Increment of SplitMix64: 2**64 divided by the golden ratio, made odd."""

MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
"""Multipliers of SplitMix64's output function (Stafford's variant 13)."""


class Stream(IntEnum):
    """What a seed is for. The numbers are part of every run's identity: append, never renumber."""

    ENVIRONMENT = 0
    ACTIONS = 1
    POLICY_INIT = 2
    MINIBATCHES = 3
    SEARCH = 4
    EVALUATION_ENVIRONMENT = 5
    EVALUATION_ACTIONS = 6
    COMPARISON_ENVIRONMENT = 7
    COMPARISON_ACTIONS = 8
    SHARED_ORDERS = 9
    COMPARISON_AGENT = 10
    FUTURE_ENVIRONMENT = 11
    FUTURE_ACTIONS = 12
    BOOTSTRAP = 13
    NAMES = 14
    TUNING = 15


class Purpose(Enum):
    """What episodes are played for: a stream for the game and one for the actions, shared with no other purpose."""

    TRAINING = (Stream.ENVIRONMENT, Stream.ACTIONS)
    EVALUATION = (Stream.EVALUATION_ENVIRONMENT, Stream.EVALUATION_ACTIONS)
    """A run looks at what it has trained, and goes by it."""
    COMPARISON = (Stream.COMPARISON_ENVIRONMENT, Stream.COMPARISON_ACTIONS)
    """Agents are compared (`run.py evaluate`), on episodes that no choice was made by."""
    FUTURE = (Stream.FUTURE_ENVIRONMENT, Stream.FUTURE_ACTIONS)
    """An episode is played on from one of its moments, many times (`replay.fork`)."""


def generator(run_seed: int, stream: Stream, *indices: int) -> np.random.Generator:
    """Return the generator of one use of a stream.

    Args:
        run_seed: The run's seed, `>= 0`.
        stream: What it is for.
        *indices: Which use, e.g. workflow and update; each `>= 0`.
    """
    return np.random.Generator(np.random.PCG64(_sequence(run_seed, stream, *indices)))


def episode_seeds(
    run_seed: int, groups: npt.ArrayLike, episode_indices: npt.ArrayLike, purpose: Purpose = Purpose.TRAINING
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the seeds of episodes.

    Args:
        run_seed: The run's seed, `>= 0`.
        groups: `[B]`, or one for all: which episodes are counted together. Their workflow, 0 to 119, but in a
            comparison, where `evaluate.scenario` numbers the groups.
        episode_indices: `[B]`, indices within the group, from 0.
        purpose: What they are played for.

    Returns:
        `(environment, actions)`, each `[B]` uint64: what seeds the game's generator, and what `uniforms` starts from.
    """
    indices = np.asarray(episode_indices, dtype=np.uint64)
    distinct, which = np.unique(groups, return_inverse=True)
    keys = np.array(
        [[_key(run_seed, stream, int(group)) for group in distinct] for stream in purpose.value], dtype=np.uint64
    )  # [2, distinct groups]
    environment, actions = keys[:, which.reshape(np.shape(groups))]
    return splitmix64(environment, indices), splitmix64(actions, indices)


def agent_seed(seed: int) -> int:
    """Return what the generators are seeded with while an agent is made that others wrote, below 2**64.

    Args:
        seed: Of the comparison that it takes part in, `>= 0`.
    """
    return int(_key(seed, Stream.COMPARISON_AGENT))


def uniforms(actions_seed: int, num_steps: int) -> npt.NDArray[np.float64]:
    """Return the uniform numbers that an episode's actions are sampled with.

    Args:
        actions_seed: From `episode_seeds`.
        num_steps: `T`.

    Returns:
        `[T]` float64 in [0, 1), multiples of 2**-53.
    """
    words = splitmix64(np.uint64(actions_seed), np.arange(num_steps, dtype=np.uint64))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def splitmix64(key: np.uint64 | npt.NDArray[np.uint64], indices: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return outputs `indices` of the SplitMix64 generator whose state starts at `key`; same shape as `indices`.

    Args:
        key: One, or one for each index.
        indices: From 0.
    """
    with np.errstate(over="ignore"):
        word = key + (indices + np.uint64(1)) * np.uint64(GOLDEN_GAMMA)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(MIX_1)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(MIX_2)
        return word ^ (word >> np.uint64(31))


@lru_cache(4 * 120)  # asked for every workflow again at every batch, and slow
def _key(run_seed: int, stream: Stream, *indices: int) -> np.uint64:
    return np.uint64(_sequence(run_seed, stream, *indices).generate_state(1, np.uint64)[0])


def _sequence(run_seed: int, stream: Stream, *indices: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(run_seed, spawn_key=(int(stream), *indices))
