"""`RedMeanderAgent`: sweep all, scan all, escalate all, exploit all, in random order; Impact as soon as it can."""

from __future__ import annotations

from typing import Any

from pipeline.cage2.engine.mersenne import HOST_ORDER, shuffle_hosts
from pipeline.cage2.engine.red import ESCALATE, EXPLOIT, IMPACT, SCAN, SWEEP
from pipeline.cage2.engine.tables import ENTERPRISE_HOSTS, OPERATIONAL_HOSTS
from pipeline.cage2.facts.spec import NUM_HOSTS, OP_SERVER_INDEX, SUBNETS
from pipeline.numerics.compiled import compiled

NUM_SUBNETS = len(SUBNETS)


@compiled
def reset(game: Any) -> None:
    """Forget the last episode."""
    game.swept = 0
    game.scanned = 0
    game.exploited = 0
    game.escalated = 0
    game.mapped = 0
    game.last_exploit = -1
    game.last_escalation = -1


@compiled
def choose(game: Any) -> tuple[int, int]:
    """Return the first action that is left to do, and its target.

    Pitfalls: both shuffles cover all 13 hosts, known or not; that of addresses starts from another order in one game in
    4,779 (`network.draw_addresses`). Escalation and exploits include its own User0. A subnet counts as swept and a host
    as scanned whatever came of it. It never runs out of options, since Defender resists.
    """
    judge_last_action(game)
    if (game.escalated >> OP_SERVER_INDEX) & 1:
        game.last_escalation = OP_SERVER_INDEX
        return IMPACT, OP_SERVER_INDEX
    for subnet in range(NUM_SUBNETS):
        if ((game.known_subnets & ~game.swept) >> subnet) & 1:
            game.swept |= 1 << subnet
            return SWEEP, subnet
    addresses = shuffle_hosts(game, game.address_order)
    host = first_host(addresses, game.known_addresses & ~game.scanned)
    if host >= 0:
        game.scanned |= 1 << host
        return SCAN, host
    lost = game.mapped & ~game.exploited
    host = first_host(shuffle_hosts(game, HOST_ORDER), game.known_names & ~game.escalated & ~lost)
    if host >= 0:
        game.escalated |= 1 << host
        game.last_escalation = host
        return ESCALATE, host
    host = first_host(addresses, game.known_addresses & ~game.exploited)
    game.exploited |= 1 << host
    game.last_exploit = host
    return EXPLOIT, host


@compiled
def judge_last_action(game: Any) -> None:
    """Draw Meander's conclusions from the outcome of its last exploit or escalation.

    Pitfall: any failed exploit counts as a lost foothold: it gives up all Operational hosts that it holds or, if it
    holds none, all Enterprise hosts.
    """
    if game.last_exploit >= 0:
        exploited = 1 << game.last_exploit
        if game.red_success:
            game.mapped |= exploited
        else:
            game.exploited &= ~exploited
            lost = game.escalated & OPERATIONAL_HOSTS
            if lost == 0:
                lost = game.escalated & ENTERPRISE_HOSTS
            game.escalated &= ~lost
            game.exploited &= ~lost
        game.last_exploit = -1
    if game.last_escalation >= 0:
        if not game.red_success:
            escalated = 1 << game.last_escalation
            game.escalated &= ~escalated
            game.exploited &= ~(escalated & game.mapped)
        game.last_escalation = -1


@compiled
def first_host(order: int, hosts: int) -> int:
    """Return the first host of a shuffled order (`mersenne.shuffle_hosts`) that is in a set, -1 for none."""
    if hosts == 0:
        return -1
    for _ in range(NUM_HOSTS):
        host = order & 15
        if (hosts >> host) & 1:
            return host
        order >>= 4
    return -1
