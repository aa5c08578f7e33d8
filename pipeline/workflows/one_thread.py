"""Numeric work on one thread, whatever torch is set to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: sums then have one order, and matrices as small as these gain nothing by more."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # for NumPy's own BLAS, whose threads would spin over a few thousand numbers
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(num_threads)
