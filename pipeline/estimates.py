"""A mean and how far it can be trusted, of values that are independent of one another."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.types import Estimate

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def sample_std(values: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> float:
    """Return the standard deviation of a sample.

    Args:
        values: `[n]`, `n >= 1`.

    Returns:
        By n - 1; 0 for a single value.
    """
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def estimate(values: npt.NDArray[np.float64]) -> Estimate:
    """Return the mean of values and its standard error.

    Args:
        values: `[n]`, `n >= 1`.
    """
    return Estimate(float(values.mean()), sample_std(values) / math.sqrt(len(values)))


def estimate_of_tenths(tenths: npt.NDArray[np.int64]) -> Estimate:
    """Return the mean of returns and its standard error, in points.

    Whole tenths are summed exactly, so that the mean is the same in any order and however they were cut into parts.

    Args:
        tenths: `[n]` int64, tenths of a point, `n >= 1`.
    """
    num = len(tenths)
    return Estimate(int(tenths.sum()) / (10 * num), sample_std(tenths) / 10 / math.sqrt(num))
