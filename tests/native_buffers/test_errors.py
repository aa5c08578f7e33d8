from __future__ import annotations

import pickle

import pytest

from native_buffers.errors import (
    LayoutMismatch,
    NativeBufferError,
    NotOwner,
    SegmentMissing,
    SharedMemoryFull,
    StaleWeights,
    UnwrittenFields,
)
from native_buffers.slots import IllegalTransition, SlotEvent, SlotState

ERRORS = [
    (SharedMemoryFull(3 * 2**30, 64 * 2**20, 2**30), ["3.0 GiB", "64.0 MiB", "1.0 GiB", "size=4G", "--shm-size=4g"]),
    (SegmentMissing("c2p-1-2-ring-3"), ["c2p-1-2-ring-3", "unlinked"]),
    (NotOwner("c2p-1-2-ring-3"), ["c2p-1-2-ring-3", "process that created it"]),
    (LayoutMismatch("a" * 64, "b" * 64), ["a" * 12, "b" * 12, "restart"]),
    (IllegalTransition(7, SlotState.FREE, SlotEvent.FILL), ["slot 7", "FREE", "FILL"]),
    (UnwrittenFields(7, ("action", "log_prob")), ["slot 7", "action, log_prob"]),
    (StaleWeights(5, (6, 7)), ["version 5", "6, 7"]),
    (StaleWeights(5, ()), ["there: none"]),
]


@pytest.mark.parametrize(("error", "said"), ERRORS, ids=lambda value: type(value).__name__)
def test_says_what_happened_and_what_to_do(error: NativeBufferError, said: list[str]) -> None:
    assert all(text in str(error) for text in said), str(error)


@pytest.mark.parametrize("error", [error for error, _ in ERRORS], ids=lambda error: type(error).__name__)
def test_comes_back_whole_from_a_worker(error: NativeBufferError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - as a process pool does it
    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert str(again) == str(error)


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 bytes"), (2**20 - 1, "1,048,575 bytes"), (2**20, "1.0 MiB"), (5 * 2**40, "5,120.0 GiB")],
)
def test_sizes_are_readable(num_bytes: int, text: str) -> None:
    assert f" {text} needed" in str(SharedMemoryFull(num_bytes, 0, 0))
