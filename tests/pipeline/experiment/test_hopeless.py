from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.experiment.hopeless import hopeless, stages


@pytest.mark.parametrize(
    ("num_seeds", "after"),
    [(1, [1]), (5, [5]), (6, [5, 6]), (10, [5, 10]), (11, [5, 10, 11]), (41, [5, 10, 20, 40, 41])],
)
def test_stages_double(num_seeds: int, after: list[int]) -> None:
    assert stages(num_seeds) == after


def test_only_who_is_clearly_worse_is_hopeless() -> None:
    best = np.array([-14.0, -14.5, -13.8, -14.2, -14.9])
    returns = {"far": best - 10, "best": best, "near": best - 0.3, "none": np.full(5, -math.inf)}
    assert hopeless(returns) == ("far", "none")


def test_one_alone_or_equals_are_never_hopeless() -> None:
    equal = np.array([-14.0, -14.5, -13.8, -14.2, -14.9])
    assert hopeless({"one": equal}) == ()
    assert hopeless({"one": equal, "other": equal.copy()}) == ()
    assert hopeless({"one": np.full(5, -math.inf), "other": np.full(5, -math.inf)}) == ()
