"""The distinct inputs of a batch: of thousands of observations a few hundred, later tens.

observations [B, T + 1, K], a workflow per episode -> distinct pairs of both [U], and which of them each one is
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts.orders import ONE_HOTS
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HASH_SHIFT = np.uint64(32)


@dataclass(frozen=True, slots=True)
class DistinctInputs:
    """Pairs of observation and workflow, each once, ordered by workflow and then by bits."""

    observation: npt.NDArray[np.int8]
    """`[U, K]` in {0, 1}."""
    workflow_id: npt.NDArray[np.int64]
    """`[U]`."""
    index: npt.NDArray[np.int64]
    """`[B, T + 1]`: which pair each observation of each episode is."""

    def __len__(self) -> int:
        return len(self.observation)

    @property
    def bits(self) -> npt.NDArray[np.int8]:
        """What the networks are given, `[U, K + 25]` int8 in {0, 1}: observation and order side by side."""
        return np.concatenate([self.observation, ONE_HOTS[self.workflow_id].astype(np.int8)], axis=1)


def distinct_inputs(observation: npt.NDArray[np.int8], workflow_id: npt.NDArray[np.int64]) -> DistinctInputs:
    """Find the distinct inputs among those of `B` episodes.

    Args:
        observation: `[B, T + 1, K]` int8 in {0, 1}.
        workflow_id: `[B]` int64, 0 to 119.

    Returns:
        Each pair once, in an order that depends on nothing but the pairs.

    Raises:
        ValueError: A value is neither 0 nor 1: an episode was not written to its end, say. Or the shapes don't fit.
    """
    num_episodes, num_rows, num_bits = observation.shape
    if workflow_id.shape != (num_episodes,):
        msg = f"{num_episodes} episodes need [{num_episodes}] workflows, not {workflow_id.shape}"
        raise ValueError(msg)
    rows = np.ascontiguousarray(observation).reshape(-1, num_bits)
    workflow = np.repeat(workflow_id, num_rows)
    words = np.zeros((len(rows), -(-num_bits // 64)), np.uint64)
    if _pack(rows, words):
        msg = "an observation has a value that is neither 0 nor 1: was its episode written to the end?"
        raise ValueError(msg)
    first, index = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    buckets = np.full(1 << (2 * len(rows)).bit_length(), -1, np.int64)
    with np.errstate(over="ignore"):  # what a hash is for, where nothing is compiled
        first = first[: _number(words, workflow, buckets, first, index)]
    order = np.lexsort((*words[first].T, workflow[first]))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    first = first[order]
    return DistinctInputs(rows[first], workflow[first], place[index].reshape(num_episodes, num_rows))


@kernel
def _pack(rows: npt.NDArray[np.int8], words: npt.NDArray[np.uint64]) -> bool:
    """Write rows of bits as words; return whether a value is none."""
    others = 0
    for i in range(len(rows)):
        for j in range(rows.shape[1]):
            others |= rows[i, j] >> 1
            words[i, j >> 6] |= np.uint64(rows[i, j] & 1) << np.uint64(j & 63)
    return others != 0


@kernel
def _number(
    words: npt.NDArray[np.uint64],
    workflow_id: npt.NDArray[np.int64],
    buckets: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    index: npt.NDArray[np.int64],
) -> int:
    """Give the distinct rows numbers as they come, and return how many there are.

    Args:
        words: `[M, W]` uint64.
        workflow_id: `[M]` int64.
        buckets: `[...]` int64, all -1, a power of 2 of them and more than `M`.
        first: `[M]` int64, written: where each distinct row was first seen.
        index: `[M]` int64, written: the number of each row.
    """
    num_distinct = 0
    for i in range(len(words)):
        key = np.uint64(workflow_id[i])
        for k in range(words.shape[1]):
            key = (key ^ words[i, k]) * _HASH_FACTOR
            key ^= key >> _HASH_SHIFT
        bucket = np.int64(key & np.uint64(len(buckets) - 1))
        while buckets[bucket] >= 0:
            other = first[buckets[bucket]]
            equal = workflow_id[i] == workflow_id[other]
            for k in range(words.shape[1]):
                equal = equal and words[i, k] == words[other, k]
            if equal:
                break
            bucket = (bucket + 1) & (len(buckets) - 1)
        if buckets[bucket] < 0:
            buckets[bucket] = num_distinct
            first[num_distinct] = i
            num_distinct += 1
        index[i] = buckets[bucket]
    return num_distinct
