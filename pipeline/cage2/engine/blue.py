"""Blue's actions, named as CybORG names them. Each takes the host that it is aimed at.

All of them first choose among Blue's own sessions on the host. Nothing depends on the choice, but it is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.engine.mersenne import draw_below, draw_only
from pipeline.cage2.engine.network import RED_FOOTHOLD, add_decoy, count_decoys, delete, draw_pid, find, place_red
from pipeline.cage2.engine.state import ATTRIBUTE, DECOYS, SESSIONS, SUSPECTS
from pipeline.cage2.engine.tables import (
    BASE_PORTS,
    DECOY_FREE_PORT,
    DECOY_HOSTS,
    NUM_BLUE_SESSIONS,
    NUM_DECOYS,
    PRIVILEGED_DECOYS,
)
from pipeline.cage2.facts.spec import ANALYSE, DECOY, NUM_HOSTS, OP_SERVER_INDEX, REMOVE, RESTORE
from pipeline.numerics.compiled import compiled, int64

if TYPE_CHECKING:
    from pipeline.cage2.engine.state import Lists

FAILURE, SUCCESS, NO_SUCCESS = 0, 1, 2
"""What an action reports; Sleep reports neither success nor failure."""


@compiled
def act(game: Any, lists: Lists, action: int) -> None:
    """Carry out an action by its id."""
    game.blue_action = action
    game.new_decoy_host = -1
    game.found_malware = 0
    if action < ANALYSE:
        game.blue_success = NO_SUCCESS if action == 0 else SUCCESS
        return
    kind = (action - ANALYSE) // NUM_HOSTS
    host = (action - ANALYSE) - kind * NUM_HOSTS
    if action >= RESTORE:
        restore(game, lists, host)
    elif action >= DECOY:
        decoy(game, lists, host, (action - DECOY) // NUM_HOSTS)
    elif action >= REMOVE:
        remove(game, lists, host)
    else:
        analyse(game, host)


@compiled
def choose_session(game: Any, host: int) -> None:
    """Draw one of Blue's sessions on the host.

    Pitfall: `choice` of a list of one consumes words too, a geometric number of them.
    """
    num_sessions = NUM_BLUE_SESSIONS[host]
    draw_below(game, num_sessions, num_sessions)  # 1 and 2 are their own bit lengths


@compiled
def analyse(game: Any, host: int) -> None:
    """`Analyse`: look for malicious files.

    Pitfalls: it looks before Red moves, though the table is told last. It finds the file of any reverse shell,
    escalated or not, even after Remove has killed the shell; and nothing of an SSH session that was not escalated.
    """
    choose_session(game, host)
    game.blue_success = SUCCESS
    game.found_malware = (game.infected_hosts >> host) & 1


@compiled
def remove(game: Any, lists: Lists, host: int) -> None:
    """`Remove`: stop the processes that Blue suspects on the host.

    Pitfalls: it stops unprivileged processes only, so it ends nothing but detected and unprivileged reverse shells.
    Suspects are never struck off, not even by Restore, and a process that got the id of a former one is stopped in its
    place. A decoy whose id is on record starts again at once, under a new id, while the record keeps the old. Files
    stay.
    """
    choose_session(game, host)
    game.blue_success = SUCCESS
    for i in range(game.num_suspects[host]):
        stop_process(game, lists, host, int64(lists[SUSPECTS, host, i]))


@compiled
def stop_process(game: Any, lists: Lists, host: int, pid: int) -> None:
    """`StopProcess`: end the process with this id, unless there is none or it runs as root or SYSTEM."""
    place = find(lists, SESSIONS, host, game.num_sessions[host], pid)
    if place >= 0:
        if lists[SESSIONS, host, place] < ATTRIBUTE:
            delete(lists, SESSIONS, host, game.num_sessions[host], place)
            game.num_sessions[host] -= 1
            if game.num_sessions[host] == 0:
                game.red_hosts &= ~(1 << host)
        return
    place = find(lists, DECOYS, host, game.num_decoys[host], pid)
    if place < 0:
        return
    kind = int64(lists[DECOYS, host, place]) // ATTRIBUTE
    if (PRIVILEGED_DECOYS >> kind) & 1:
        return
    delete(lists, DECOYS, host, game.num_decoys[host], place)
    game.num_decoys[host] -= 1
    for service in range(NUM_DECOYS):
        if game.decoy_pid[host, service] == pid:
            add_decoy(game, lists, host, kind, draw_pid(game, lists, host))
            break
    count_decoys(game, lists, host)


@compiled
def restore(game: Any, lists: Lists, host: int) -> None:
    """`Restore`: put the host back as it was at the start.

    Pitfalls: what Red remembers and what Blue suspects stay; Red's session 0 on User0 survives. The OT service comes
    back without a process id on record, so that Impact can never take it down again, though it still reports success.
    """
    choose_session(game, host)
    game.blue_success = SUCCESS
    game.num_sessions[host] = 0
    game.num_decoys[host] = 0
    game.decoy_kinds[host] = 0
    game.listening[host] = BASE_PORTS[host]
    game.decoy_pid[host, :] = -1
    game.used_ports[host, :] = 0
    game.red_hosts &= ~(1 << host)
    game.privileged_hosts &= ~(1 << host)
    game.infected_hosts &= ~(1 << host)
    game.patched_hosts |= 1 << host
    if host == RED_FOOTHOLD:
        place_red(game, lists)
    if host == OP_SERVER_INDEX:
        game.ot_running = 1
        game.ot_active = 1
        game.ot_on_record = 0


@compiled
def decoy(game: Any, lists: Lists, host: int, kind: int) -> None:
    """`DecoyApache` to `DecoyVsftpd`: fake a service, if the system suits and its port is free.

    Pitfalls: Vsftpd asks for port 21 and listens on 80, so it can be placed without limit, and its service stays on
    record with the first process id. Choosing the one way to deploy it is a draw.
    """
    choose_session(game, host)
    if not (DECOY_HOSTS[kind] >> host) & 1 or game.listening[host] & DECOY_FREE_PORT[kind]:
        game.blue_success = FAILURE
        return
    draw_only(game)
    pid = draw_pid(game, lists, host)
    add_decoy(game, lists, host, kind, pid)
    if game.decoy_pid[host, kind] < 0:
        game.decoy_pid[host, kind] = pid
    game.new_decoy_host = host
    game.blue_success = SUCCESS
