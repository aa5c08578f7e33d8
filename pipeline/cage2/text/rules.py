"""The rules of the game as a prompt. Its network, costs and decoys are of the tables that the engine plays by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.engine.tables import BASE_PORTS, DECOY_FREE_PORT, DECOY_HOSTS
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.cage2.text.names import Names

_RULES = """\
You defend a computer network. You are Blue; an intruder, Red, is inside. An episode has {num_steps} steps. In each you
act first, then Red acts, then you are told what your sensors noticed of it.

THE NETWORK
{network}
Red starts on {foothold} with full rights. Nothing gets it out of there, and that costs you nothing. It works its way
from {user} through {enterprise} to {operational}, where {server} runs the service that it wants to stop. It gets into
{operational} only while it is on a host of {enterprise}, of which it can't take {defender}. Red scans a host, then
exploits one of its services, and then, unless that gave it full rights at once, takes them, which you are not shown.

POINTS
They are taken away, if at all; 0 in all would be the best. At the end of each step:
{costs}
- {down} while the service on {server} is down
- {restore} for each Restore, needed or not

WHAT YOU SEE OF EACH HOST
activity, in this step alone: None, Scan or Exploit. About one exploit in {unnoticed} looks like a Scan, and so do most
attacks on decoys; placing a decoy can hide a Scan of the same step.
compromised, until something changes it: No; User: there was an attack that looked like a success, which may also have
met a new decoy, or {defender}; Privileged: you found Red's tools, whether or not it has full rights; Unknown: you have
used Remove. Red may be on a host that shows No, and gone from one that doesn't.
decoys: those of yours that stand there.

YOUR ACTIONS
Sleep - do nothing. Monitor does the same: your sensors always run.
Analyse HOST - look for Red's tools. If there are any, compromised becomes Privileged.
Remove HOST - may end it, if Red got in by a shell that was noticed and has no full rights. You aren't told whether.
Restore HOST - set the host up anew: ends all of Red's there, and your decoys; on {server} the service runs again.
Decoys are false services: Red that attacks one fails. Each needs a port that is free, and the right system:
{decoys}

Answer with one action, such as: Restore {example}
If you write more than that, end with a line such as: Action: Restore {example}"""

_COSTS = [0 if host == spec.DEFENDER_INDEX else tenths for host, tenths in enumerate(spec.CONFIDENTIALITY_TENTHS)]
"""Of each host that Red can take, in tenths."""


def rules(names: Names, num_steps: int) -> str:
    """Return the rules.

    Args:
        names: What things are called.
        num_steps: Steps of an episode.
    """
    subnets = {subnet.name: name for subnet, name in zip(spec.SUBNETS, names.subnets, strict=True)}
    of_subnet = {
        name: [host for host in names.listed if host in subnet.hosts]
        for name, subnet in zip(names.subnets, spec.SUBNETS, strict=True)
    }

    def told(hosts: Iterable[int]) -> str:
        return ", ".join(names.hosts[host] for host in hosts)

    return _RULES.format(
        num_steps=num_steps,
        network="\n".join(f"{name}: {told(of_subnet[name])}" for name in sorted(of_subnet)),
        foothold=names.hosts[spec.RED_FOOTHOLD_INDEX],
        user=subnets["User"],
        enterprise=subnets["Enterprise"],
        operational=subnets["Operational"],
        server=names.hosts[spec.OP_SERVER_INDEX],
        defender=names.hosts[spec.DEFENDER_INDEX],
        costs="\n".join(
            f"- {tenths / 10} for each of these on which Red has full rights: "
            f"{told(host for host in names.listed if _COSTS[host] == tenths)}"
            for tenths in sorted({*_COSTS} - {0})
        ),
        down=spec.OT_SERVICE_DOWN_TENTHS / 10,
        restore=spec.RESTORE_TENTHS / 10,
        unnoticed=round(1 / (1 - spec.DETECTION_PROBABILITY)),
        decoys="\n".join(f"{decoy.name} - on {told(_fitting(names, kind))}" for kind, decoy in enumerate(spec.DECOYS)),
        example=names.hosts[min(spec.SUBNETS[-1].hosts, key=lambda host: (host == spec.RED_FOOTHOLD_INDEX, host))],
    )


def _fitting(names: Names, kind: int) -> list[int]:
    """Return the hosts that a kind of decoy fits as they are at first."""
    return [
        host
        for host in names.listed
        if DECOY_HOSTS[kind] >> host & 1 and not int(BASE_PORTS[host]) & int(DECOY_FREE_PORT[kind])
    ]
