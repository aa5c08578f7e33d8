"""Rewards on the scale that the models know: near zero mean and unit variance, and no disaster sets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from pipeline.numerics.elementary64 import each_log

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pipeline.workflows.observations import Observation

_RESOLUTION: Final = 0.1
"""Points; rewards are multiples of it, so a smaller difference is never worth a standard deviation."""
_KNEE: Final = 3.0
"""Robust standard deviations below the median from which on the scale of rewards is logarithmic."""


class Targets(NamedTuple):
    """Observations as a fit sees them, in units of `scale`; `n` observed orders."""

    values: npt.NDArray[np.float64]
    """`[n]` float64."""
    noise: npt.NDArray[np.float64]
    """`[n]` float64: known variance, from the standard error."""
    location: float
    """Points that 0 stands for."""
    scale: float
    """Points per unit."""


def standardise(observations: Sequence[Observation]) -> Targets:
    """Bring rewards to a scale that the models know, and keep disasters from setting that scale.

    Returns reach from -1300 to -12, and among trained policies one that fails would make all others look
    alike. So far below the median rewards go on logarithmically: they stay in order, and standard errors
    shrink with the slope. "Far" is `_KNEE` robust standard deviations (1.4826 times the median absolute
    deviation), and far enough to leave nine tenths of the orders alone: half of them may well be worse than
    the other half by rule, all alike within either, and that is no accident but what there is to
    learn. Above, nothing is bent: that end is what the search looks for.

    Args:
        observations: At least one, of different orders.
    """
    rewards = np.array([observation.env_reward for observation in observations])  # [n], points
    stderrs = np.array([observation.stderr for observation in observations])  # [n], points
    median = float(np.median(rewards))
    typical_stderr = float(np.median(stderrs))
    deviation = 1.4826 * float(np.median(np.abs(rewards - median)))
    reach = (median - float(np.quantile(rewards, 0.1, method="higher"))) / _KNEE
    width = max(deviation, reach, typical_stderr, _RESOLUTION)
    depth = np.maximum((median - rewards) / width - _KNEE, 0.0)  # [n], beyond the knee
    bent = np.where(depth > 0, median - width * (_KNEE + each_log(1.0 + depth)), rewards)
    location = float(bent.mean())
    scale = max(float(bent.std()), typical_stderr, _RESOLUTION)
    slope = 1 / ((1 + depth) * scale)  # [n], units per point
    return Targets(
        values=(bent - location) / scale,
        noise=np.square(stderrs * slope),
        location=location,
        scale=scale,
    )
