"""What Blue is shown: a table of the hosts (`table`), with what happened on each in this step and how bad it looks.

The rules are those of CybORG's `BlueTableWrapper`, whose vector `ChallengeWrapper` hands to Blue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts.spec import ANALYSE, DECOY, NUM_HOSTS, REMOVE, RESTORE, REVERSE_SHELL_PORT
from pipeline.cage2.facts.table import (
    ACTIVITY_BITS,
    CONDITION_BITS,
    EXPLOIT,
    NO,
    NONE,
    PRIVILEGED,
    SCAN,
    UNKNOWN,
    USER,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

_MANY = 3
"""Records, or ports, from which on they tell of a scan or an attack instead of a single connection."""

Connection = tuple[int, int | None]
"""A connection that Blue was told of: local port, and remote port where there is one."""


def activity(connections: Sequence[Connection], decoy_placed: bool, *, corrected: bool = False) -> int:
    """Return what Blue takes a host's connections of one step for.

    Args:
        connections: At least one.
        decoy_placed: Whether Blue placed a decoy on the host in this very step; that is a record of its own.
        corrected: Whether such a decoy does not hide a scan of the same step, as it does in CybORG's own table.

    Returns:
        A place in `table.ACTIVITIES`.
    """
    num_records = len(connections) + decoy_placed
    num_ports = len({local for local, _ in connections})
    if num_records >= _MANY and num_ports >= _MANY:
        return SCAN
    if any(remote == REVERSE_SHELL_PORT for _, remote in connections):
        return EXPLOIT
    if num_records >= _MANY and num_ports == 1:
        return EXPLOIT
    return NONE if decoy_placed and not corrected else SCAN


class BlueTable:
    """The table of one episode.

    Args:
        corrected: See `activity`.
    """

    def __init__(self, *, corrected: bool = False) -> None:
        self._corrected = corrected
        self._conditions = [NO] * NUM_HOSTS

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
                self._conditions[target] = NO
            elif REMOVE <= action < DECOY and self._conditions[target] != NO:
                self._conditions[target] = UNKNOWN
        activities = [NONE] * NUM_HOSTS
        for host, on_host in connections.items():
            activities[host] = activity(on_host, decoy_placed and host == target, corrected=self._corrected)
            if activities[host] == EXPLOIT:
                self._conditions[host] = USER
        if malware_found and target is not None:
            self._conditions[target] = PRIVILEGED
        bits = [
            (*ACTIVITY_BITS[activity], *CONDITION_BITS[condition])
            for activity, condition in zip(activities, self._conditions, strict=True)
        ]
        return np.array(bits, dtype=np.int8).ravel()
