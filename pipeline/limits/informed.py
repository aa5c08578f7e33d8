"""A defender that sees all that is hidden and plays the relaxed game's optimum as far as it can: what a bound is worth.

It deploys decoys when it has nothing better to do, on the hosts that Red has yet to scan. What it reaches, a defender
that sees less may not; but no bound that holds for a defender that sees all can be below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipeline.cage2.engine.agents.b_line import LINKED_HOST, USERS
from pipeline.cage2.engine.tables import DECOY_FREE_PORT, DECOY_HOSTS, DECOY_PORT, NUM_DECOYS
from pipeline.cage2.facts.spec import (
    CONFIDENTIALITY_TENTHS,
    DECOY,
    HOST_NAMES,
    NUM_HOSTS,
    OP_SERVER_INDEX,
    REMOVE,
    RESTORE,
    RESTORE_TENTHS,
    SLEEP,
)
from pipeline.limits import b_line, meander
from pipeline.limits.bounds import BLineBounds
from pipeline.limits.exploits import odds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.limits.bounds import MeanderBounds


class Defender(Protocol):
    """Who defends a game of the engine."""

    def act(self, game: Any, lists: Any, steps_left: int) -> int:
        """Return the id of Blue's next action; see `Bounds.from_here`."""


class InformedOfBLine:
    """Against B_line."""

    def __init__(self, bounds: BLineBounds) -> None:
        self._solution = bounds.solution

    def act(self, game: Any, lists: Any, steps_left: int) -> int:
        """Return the id of Blue's next action."""
        if game["num_steps"] < b_line.NUM_OPENING_ACTIONS:
            return self._open(game, steps_left)
        state = b_line.state_of(game, lists)
        decision = self._solution.decision(state, steps_left)
        hosts = (state.user, int(LINKED_HOST[state.user]), _ENTERPRISE[-1], OP_SERVER_INDEX)
        kind = RESTORE if decision.cost else REMOVE
        for host, before, after in zip(hosts, state.levels, decision.after.levels, strict=True):
            if before != after:
                return kind + host
        return kind + state.user if decision.cost else next_decoy(game, hosts)

    def _open(self, game: Any, steps_left: int) -> int:
        users = [int(user) for user in USERS]
        standing = tuple(int(game["listening"][user]) for user in users)
        immune = frozenset(user for user in users if game["patched_hosts"] >> user & 1)
        opening = b_line.Opening(standing, immune, int(game["num_steps"]))
        after: b_line.Opening = self._solution.decision(opening, steps_left).after
        for user in after.immune - immune:
            return RESTORE + user
        for user, before, ports in zip(users, standing, after.memories, strict=True):
            if before != ports:
                return next(DECOY + NUM_HOSTS * decoy + user for decoy in _fitting(game, user, before ^ ports))
        return SLEEP


class InformedOfMeander:
    """Against Meander."""

    def __init__(self, bounds: MeanderBounds) -> None:
        self._bounds = bounds

    def act(self, game: Any, lists: Any, steps_left: int) -> int:
        """Return the id of Blue's next action."""
        pending = meander.NOBODY
        if game["num_steps"] >= meander.NUM_QUIET_STEPS:
            state = meander.state_of(game, lists)
            if state != meander.OVER and state.target != meander.NOBODY:
                pending = state.target
                _, answer, _ = self._bounds.solution_of(game).decision(state, steps_left).after
                if answer != meander.PASS:
                    return (RESTORE if answer == meander.RESTORE else REMOVE) + pending
        for host in (*_ENTERPRISE, OP_SERVER_INDEX, *map(int, USERS)):
            is_held = game["privileged_hosts"] >> host & 1 and host != pending
            if is_held and CONFIDENTIALITY_TENTHS[host] * steps_left > RESTORE_TENTHS:
                return RESTORE + host
        unscanned = [host for host in (meander.USER2, *_ENTERPRISE, *map(int, USERS)) if not game["port_memory"][host]]
        return next_decoy(game, unscanned)


def next_decoy(game: Any, hosts: Sequence[int]) -> int:
    """Return the action that deploys, on the first of some hosts where one helps, the decoy that helps most."""
    for host in hosts:
        listening = int(game["listening"][host])
        fitting = _fitting(game, host, ~listening)
        chances = [(odds(host, listening | int(DECOY_PORT[decoy])).success, decoy) for decoy in fitting]
        if chances and min(chances)[0] < odds(host, listening).success:
            return DECOY + NUM_HOSTS * min(chances)[1] + host
    return SLEEP


def _fitting(game: Any, host: int, ports: int) -> list[int]:
    """Return the decoys that can be deployed on a host and listen on one of some ports."""
    listening = int(game["listening"][host])
    return [
        decoy
        for decoy in range(NUM_DECOYS)
        if DECOY_HOSTS[decoy] >> host & 1 and not DECOY_FREE_PORT[decoy] & listening and DECOY_PORT[decoy] & ports
    ]


def informed(bounds: BLineBounds | MeanderBounds) -> Defender:
    """Return the defender that plays by some bounds, which must be those that are told all."""
    return InformedOfBLine(bounds) if isinstance(bounds, BLineBounds) else InformedOfMeander(bounds)


_ENTERPRISE = tuple(HOST_NAMES.index(f"Enterprise{i}") for i in range(3))
