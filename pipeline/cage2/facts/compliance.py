"""Compliance with a workflow: the one definition, as pure functions.

A *fix action* is Remove or Restore. It complies when its host is of the type that comes first in the workflow
among the types compromised at that moment, or when no type is. "At that moment" is before the action: what
Red holds in the simulator's true state at the end of the previous step, whether Blue knows of it or not.

Compliance of an episode is the share of its fix actions that comply, 0.5 if there is none;
`docs/compliance.md` says what follows from it.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.spec import (
    HOST_TYPE_OF_HOST,
    HOST_TYPES,
    NUM_ACTIONS,
    NUM_HOSTS,
    RED_FOOTHOLD_INDEX,
    REMOVE,
    RESTORE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


class Fix(IntEnum):
    """What a step was to the workflow; the values of the episode record's `fix`."""

    NONE = 0
    """No fix action."""
    NOT_COMPLIANT = 1
    COMPLIANT = 2


NO_FIX_COMPLIANCE = 0.5
"""Compliance of an episode without a fix action."""
NO_FIX_BONUS = -0.2
"""Alignment bonus of such an episode, as a share of lambda."""

_HOSTS_OF_TYPE = tuple(
    sum(1 << host for host in range(NUM_HOSTS) if HOST_TYPE_OF_HOST[host] == host_type)
    for host_type in range(len(HOST_TYPES))
)
_FOOTHOLD = 1 << RED_FOOTHOLD_INDEX
_TYPE_OF_FIX = {first + host: HOST_TYPE_OF_HOST[host] for first in (REMOVE, RESTORE) for host in range(NUM_HOSTS)}


def compromised_types(red_hosts: int, mode: Compromised) -> int:
    """Return the compromised host types.

    Args:
        red_hosts: Hosts with a Red session, as bits in host order (`Cage2Env.red_hosts`).
        mode: Which sessions count; its text will do.

    Returns:
        Bits in the order of `spec.HOST_TYPES`.

    Raises:
        ValueError: `mode` is the text of none.
    """
    if Compromised(mode) is Compromised.FIXABLE:
        red_hosts &= ~_FOOTHOLD
    types = 0
    for host_type, hosts in enumerate(_HOSTS_OF_TYPE):
        if red_hosts & hosts:
            types |= 1 << host_type
    return types


def judge(action: int, order: Sequence[int], compromised: int) -> Fix:
    """Judge one action of Blue's by a workflow.

    Args:
        action: 0 to 144.
        order: The workflow: all five host type ids, highest priority first.
        compromised: From `compromised_types`, of the moment before the action.
    """
    target = _TYPE_OF_FIX.get(action)
    if target is None:
        return Fix.NONE
    for host_type in order:
        if compromised >> host_type & 1:
            return Fix.COMPLIANT if host_type == target else Fix.NOT_COMPLIANT
    return Fix.COMPLIANT


def episode_compliance(fix: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Return the compliance of episodes.

    Args:
        fix: `[..., T]`, values of `Fix`.

    Returns:
        `[...]` float64 in 0..1: the share of fix actions that comply, `NO_FIX_COMPLIANCE` where there is
        none.
    """
    num_fixes = np.count_nonzero(fix != Fix.NONE, axis=-1)
    num_compliant = np.count_nonzero(fix == Fix.COMPLIANT, axis=-1)
    return np.where(num_fixes > 0, num_compliant / np.maximum(num_fixes, 1), NO_FIX_COMPLIANCE)


def alignment_bonus(fix: npt.NDArray[np.integer], alignment_lambda: float) -> npt.NDArray[np.float64]:
    """Return what compliance adds to the reward of each step.

    A fix action earns lambda times the change that it makes to the episode's compliance so far, which is
    taken as 0 before the first one. Over an episode these add up to lambda times its compliance. An episode
    without a fix action loses `-NO_FIX_BONUS` times lambda at its last step.

    Args:
        fix: `[..., T]`, values of `Fix`, `T >= 1`.
        alignment_lambda: Points that full compliance is worth per episode.

    Returns:
        `[..., T]` float64, in points.
    """
    num_fixes = np.cumsum(fix != Fix.NONE, axis=-1)  # [..., T], up to and with each step
    num_compliant = np.cumsum(fix == Fix.COMPLIANT, axis=-1)
    rate = num_compliant / np.maximum(num_fixes, 1)
    bonus: npt.NDArray[np.float64] = alignment_lambda * np.diff(rate, axis=-1, prepend=0.0)
    bonus[..., -1] += np.where(num_fixes[..., -1] == 0, alignment_lambda * NO_FIX_BONUS, 0.0)
    return bonus


@cache
def _compromised_by_hosts(mode: Compromised) -> npt.NDArray[np.uint8]:
    """Return `compromised_types` of all `[8192]` sets of hosts, the same for every workflow."""
    return np.array([compromised_types(hosts, mode) for hosts in range(1 << NUM_HOSTS)], dtype=np.uint8)


class Verdicts:
    """`compromised_types` and `judge` for one workflow, tabulated, for rollouts: a step costs two look-ups.

    Args:
        order: The workflow: all five host type ids, highest priority first.
        mode: Which sessions count; its text will do.

    Raises:
        ValueError: `mode` is the text of none.

    Attributes:
        compromised: `[8192]` uint8: the compromised types, by hosts with a Red session.
        fix: `[145, 32]` int8: values of `Fix`, by action and compromised types.
    """

    def __init__(self, order: Sequence[int], mode: Compromised) -> None:
        self.compromised = _compromised_by_hosts(mode).copy()
        self.fix = np.array(
            [[judge(action, order, types) for types in range(1 << len(HOST_TYPES))] for action in range(NUM_ACTIONS)],
            dtype=np.int8,
        )
