"""What a step costs Blue."""

from __future__ import annotations

from typing import Any

from pipeline.cage2.engine.tables import CONFIDENTIALITY_TENTHS
from pipeline.cage2.facts.spec import NUM_HOSTS, OT_SERVICE_DOWN_TENTHS, RESTORE, RESTORE_TENTHS
from pipeline.numerics.compiled import compiled


@compiled
def compute_reward(game: Any) -> int:
    """Return the reward of the step that ends now, in tenths of a point.

    Pitfalls: only privileged sessions cost, each host once. Impact itself costs nothing; that the OT service is down
    costs in every step until it is up. Restore costs even where there was nothing to restore.
    """
    cost = 0
    for host in range(NUM_HOSTS):
        cost += CONFIDENTIALITY_TENTHS[host] * ((game.privileged_hosts >> host) & 1)
    if not game.ot_running:
        cost += OT_SERVICE_DOWN_TENTHS
    if game.blue_action >= RESTORE:
        cost += RESTORE_TENTHS
    return -cost
