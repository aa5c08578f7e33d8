"""What Blue is shown: a table of the hosts, with what happened on each in this step and how bad it looks.

The rules are those of CybORG's `BlueTableWrapper`, whose vector `ChallengeWrapper` hands to Blue:

    activity   none 00   scan 10      exploit 11                    of this step only
    condition  no 00     unknown 10   user 01      privileged 11    kept until something changes it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts.spec import (
    ANALYSE,
    BITS_PER_HOST,
    NUM_HOSTS,
    OBSERVATION_SIZE,
    REMOVE,
    RESTORE,
    REVERSE_SHELL_PORT,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

SCAN = (1, 0)
EXPLOIT = (1, 1)

CLEAN = (0, 0)
UNKNOWN = (1, 0)
USER = (0, 1)
PRIVILEGED = (1, 1)

_MANY = 3
"""Records, or ports, from which on they tell of a scan or an attack instead of a single connection."""

Connection = tuple[int, int | None]
"""A connection that Blue was told of: local port, and remote port where there is one."""


def activity(
    connections: Sequence[Connection], decoy_placed: bool, *, corrected: bool = False
) -> tuple[int, int] | None:
    """Return what Blue takes a host's connections of one step for.

    Args:
        connections: At least one.
        decoy_placed: Whether Blue placed a decoy on the host in this very step; that is a record of its own.
        corrected: Whether such a decoy does not hide a scan of the same step, as it does in CybORG's own table.

    Returns:
        `SCAN`, `EXPLOIT`, or None for nothing.
    """
    num_records = len(connections) + decoy_placed
    num_ports = len({local for local, _ in connections})
    if num_records >= _MANY and num_ports >= _MANY:
        return SCAN
    if any(remote == REVERSE_SHELL_PORT for _, remote in connections):
        return EXPLOIT
    if num_records >= _MANY and num_ports == 1:
        return EXPLOIT
    return None if decoy_placed and not corrected else SCAN


class BlueTable:
    """The table of one episode.

    Args:
        corrected: See `activity`.
    """

    def __init__(self, *, corrected: bool = False) -> None:
        self._corrected = corrected
        self._conditions = np.zeros(OBSERVATION_SIZE, dtype=np.int8)  # [52], its activity bits always 0

    def update(
        self,
        action: int,
        connections: Mapping[int, Sequence[Connection]],
        *,
        decoy_placed: bool,
        malware_found: bool,
    ) -> npt.NDArray[np.int8]:
        """Take in one step.

        Args:
            action: Blue's action, 0 to 144.
            connections: What Blue was told of, by host; only hosts with at least one.
            decoy_placed: Whether the action placed a decoy.
            malware_found: Whether the action is Analyse and found a malicious file.

        Returns:
            `[52]` int8 in {0, 1}, the caller's own.
        """
        target = (action - ANALYSE) % NUM_HOSTS if action >= ANALYSE else None
        if target is not None:
            if action >= RESTORE:
                self._set(target, CLEAN)
            elif REMOVE <= action < REMOVE + NUM_HOSTS and self._suspected(target):
                self._set(target, UNKNOWN)
        seen = {
            host: activity(on_host, decoy_placed and host == target, corrected=self._corrected)
            for host, on_host in connections.items()
        }
        for host, what in seen.items():
            if what == EXPLOIT:
                self._set(host, USER)
        if malware_found and target is not None:
            self._set(target, PRIVILEGED)
        vector = self._conditions.copy()
        for host, what in seen.items():
            if what is not None:
                start = host * BITS_PER_HOST
                vector[start : start + 2] = what
        return vector

    def _set(self, host: int, condition: tuple[int, int]) -> None:
        start = host * BITS_PER_HOST + 2
        self._conditions[start : start + 2] = condition

    def _suspected(self, host: int) -> bool:
        start = host * BITS_PER_HOST + 2
        return bool(self._conditions[start : start + 2].any())
