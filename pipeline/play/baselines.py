"""Blue agents that learn nothing, to compare with: functions of the observation and one uniform number.

They are called as they are and, compiled, by the rollout; so they are written in what both understand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    Choose: TypeAlias = Callable[[npt.NDArray[np.int8], float], int]
    """Chooses an action by the `[52]` values in {0, 1} that Blue sees, and a number in [0, 1)."""


def play_random(_: npt.NDArray[np.int8], uniform: float) -> int:
    """Choose among all actions alike."""
    return int(uniform * spec.NUM_ACTIONS)


def play_sleep(_: npt.NDArray[np.int8], __: float) -> int:
    """Leave the network to Red."""
    return spec.SLEEP


def play_restore(observation: npt.NDArray[np.int8], _: float) -> int:
    """Restore the first host, in host order, that looks compromised; sleep when none does. Scans don't count."""
    for host in range(spec.NUM_HOSTS):
        first = spec.BITS_PER_HOST * host  # the first two are activity
        if observation[first + 2] or observation[first + 3]:
            return spec.RESTORE + host
    return spec.SLEEP


BASELINES: dict[str, Choose] = {"random": play_random, "sleep": play_sleep, "restore": play_restore}
"""By the names that the command line has for them."""
