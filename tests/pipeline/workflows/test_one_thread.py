from __future__ import annotations

import pytest
import torch
from threadpoolctl import threadpool_info

from pipeline.workflows.one_thread import one_thread


def blas_threads() -> set[int]:
    return {int(pool["num_threads"]) for pool in threadpool_info()}


def test_work_has_one_thread_and_the_setting_comes_back() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        around = blas_threads()
        with one_thread():
            assert torch.get_num_threads() == 1
            assert blas_threads() == {1}
        assert torch.get_num_threads() == 2
        assert blas_threads() == around
        with pytest.raises(ZeroDivisionError), one_thread():
            _ = 1 / 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
