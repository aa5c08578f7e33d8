from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from pipeline.numerics.subnormals import flush_subnormals, subnormals_flushed

if TYPE_CHECKING:
    from collections.abc import Callable

SMALLEST_NORMAL, SMALLEST = sys.float_info.min, 5e-324
KEPT, FLUSHED = (True,) * 4, (False,) * 4


def kept() -> tuple[bool, ...]:
    """Whether subnormal numbers come out of this thread's arithmetic and go into it: Python's and NumPy's."""
    singles = np.array([np.finfo(np.float32).tiny, 1e-45], np.float32)
    halved, grown = singles / np.float32(2), singles * np.float32(2**30)
    return SMALLEST_NORMAL / 2 > 0, SMALLEST * 2.0**60 > 0, bool(halved[0] > 0), bool(grown[1] > 0)


def on_a_thread(call: Callable[[], None]) -> None:
    """Call on a thread of its own, whose mode is nobody else's."""
    failures = []

    def run() -> None:
        try:
            call()
        except BaseException as failure:  # noqa: BLE001  # raised below
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize(("flushes", "before"), [(False, KEPT), (True, FLUSHED)])
def test_a_thread_goes_on_as_it_did_before(flushes: bool, before: tuple[bool, ...]) -> None:
    def check() -> None:
        torch.set_flush_denormal(flushes)
        assert kept() == before
        with subnormals_flushed():
            assert kept() == FLUSHED
            with subnormals_flushed():
                pass
            assert kept() == FLUSHED
        assert kept() == before
        with pytest.raises(ZeroDivisionError), subnormals_flushed():
            1 / 0  # noqa: B018
        assert kept() == before

    on_a_thread(check)


def test_a_thread_of_our_own_flushes_for_good_and_no_other_one_does() -> None:
    def check() -> None:
        flush_subnormals()
        assert kept() == FLUSHED

    on_a_thread(check)
    assert kept() == KEPT
    on_a_thread(lambda: pytest.fail("inherited") if kept() != KEPT else None)
