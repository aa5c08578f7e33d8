"""What a step shows to a learner, as arrays: the observation, the hosts that Red holds, the actions worth trying.

The action mask. CybORG accepts every one of the 145 actions at any time. What can be said beforehand is that placing a
decoy would fail: it does not fit the host's system, or something listens on its port already. Those actions are masked,
and nothing else is, however pointless it may look. Blue can work this out itself: it follows from what the hosts are
and from the decoys that stand, and Red's sessions listen on no port. (There is one exception, too rare to be met: a
decoy may fall victim to a Remove that is aimed at a process which had the same id. The mask knows of that at once.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.engine.tables import DECOY_FREE_PORT, DECOY_HOSTS
from pipeline.cage2.facts.spec import DECOY, NUM_ACTIONS, NUM_HOSTS, OBSERVATION_SIZE, RESTORE
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

DECOY_RULES = np.stack([DECOY_HOSTS, DECOY_FREE_PORT])
"""`[2, 8]`: the hosts that each decoy fits, and the port that it needs, as masks."""

Shown = tuple["npt.NDArray[np.float32]", "npt.NDArray[np.bool_]", "npt.NDArray[np.int8]"]
"""`[B, 52]` observations, `[B, 13]` hosts with a Red session, `[B, 145]` action masks; the caller's own."""


@kernel
def _show(
    bits: npt.NDArray[np.int8],
    red_hosts: npt.NDArray[np.int64],
    listening: npt.NDArray[np.int64],
    decoy_rules: npt.NDArray[np.int64],
    observations: npt.NDArray[np.float32],
    held: npt.NDArray[np.bool_],
    masks: npt.NDArray[np.int8],
) -> bool:
    """Write what `show` returns; return whether its arguments fit together, without which nothing is written."""
    if bits.shape[1] != OBSERVATION_SIZE or len(red_hosts) != len(bits) or listening.shape != (len(bits), NUM_HOSTS):
        return False
    ports = np.empty(NUM_HOSTS, np.int64)
    for game in range(len(bits)):
        for i in range(OBSERVATION_SIZE):
            observations[game, i] = bits[game, i]
        for i in range(DECOY):
            masks[game, i] = 1
        for i in range(RESTORE, NUM_ACTIONS):
            masks[game, i] = 1
        for host in range(NUM_HOSTS):
            held[game, host] = (red_hosts[game] >> host) & 1
            ports[host] = listening[game, host]
        for decoy in range(decoy_rules.shape[1]):
            hosts, port = decoy_rules[0, decoy], decoy_rules[1, decoy]
            block = masks[game, DECOY + NUM_HOSTS * decoy : DECOY + NUM_HOSTS * (decoy + 1)]
            for host in range(NUM_HOSTS):
                block[host] = ((hosts >> host) & 1) & ((ports[host] & port) == 0)
    return True


def show(bits: npt.NDArray[np.int8], red_hosts: npt.NDArray[np.int64], listening: npt.NDArray[np.int64]) -> Shown:
    """Show `B` games.

    Args:
        bits: `[B, 52]`, the observations as the engine has them.
        red_hosts: `[B]`, hosts with a Red session as masks.
        listening: `[B, 13]`, ports that something listens on as masks (`tables.PORTS`).

    Raises:
        ValueError: The shapes don't fit.
    """
    num_games = len(bits)
    observations = np.empty((num_games, OBSERVATION_SIZE), dtype=np.float32)
    held = np.empty((num_games, NUM_HOSTS), dtype=np.bool_)
    masks = np.empty((num_games, NUM_ACTIONS), dtype=np.int8)
    if not _show(bits, red_hosts, listening, DECOY_RULES, observations, held, masks):
        shapes = bits.shape, red_hosts.shape, listening.shape
        raise ValueError(f"bits [B, {OBSERVATION_SIZE}], red_hosts [B] and listening [B, {NUM_HOSTS}], not {shapes}")
    return observations, held, masks
