# ruff: noqa: S311 - Python's generator is what the engine's is compared with
from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine import network
from pipeline.cage2.engine.mersenne import HOST_ORDER
from pipeline.cage2.engine.tables import RECORDED_PLACE, RECORDED_RANGE, STARTING_HOSTS
from pipeline.cage2.facts import spec
from pipeline.numerics.compiled import int64, kernel

if TYPE_CHECKING:
    from collections.abc import Callable

OP_SERVER = spec.OP_SERVER_INDEX
USER0 = spec.RED_FOOTHOLD_INDEX


@kernel
def pid_in_use(games: Any, lists: Any, host: int, pid: int) -> bool:
    return network.pid_in_use(games[0], lists[0], host, pid)


@kernel
def draw_port(games: Any, host: int) -> int:
    return network.draw_ephemeral_port(games[0], host)


@kernel
def draw_addresses(games: Any, subnet: int, address_range: int) -> None:
    network.draw_addresses(games[0], subnet, address_range)


@kernel
def put_first(host: int) -> int:
    return network.put_first(host)


def order_of(hosts: list[int]) -> int:
    return sum(host << (4 * place) for place, host in enumerate(hosts))


def test_a_network_is_drawn_as_cyborg_draws_it(play: Callable[..., Any]) -> None:
    """The whole of it, from Python's own generator."""
    rng = random.Random(11)
    rng.sample(range(4096), 3)
    for size in (4, 4, 5):
        rng.choice([0])
        rng.sample(range(14), size)
    pids: dict[int, list[int]] = {host: [p.pid for p in spec.HOSTS[host].image.processes] for host in range(13)}
    for host in STARTING_HOSTS.tolist():
        pid = 0
        while pid == 0 or pid in pids[host]:
            pid = rng.randrange(32768)
        pids[host].append(pid)
    game = play(seed=11)
    assert game.env.batch.generator_state(0) == rng.getstate()
    for host in range(13):
        drawn = game.game["starting_pids"][host][: game.game["num_starting_pids"][host]].tolist()
        assert drawn == pids[host][len(spec.HOSTS[host].image.processes) :]


@pytest.mark.parametrize("host", range(13))
def test_one_host_can_be_put_first(host: int) -> None:
    assert put_first(int64(host)) == order_of([host, *(other for other in range(13) if other != host)])


@pytest.mark.parametrize("subnet", range(3))
def test_the_host_that_draws_the_recorded_address_is_put_first(play: Callable[..., Any], subnet: int) -> None:
    """In whichever place of the sample it comes, if the subnet has its range; and in no other range."""
    game = play()
    batch, hosts = game.env.batch, spec.SUBNETS[subnet].hosts
    first = set()
    for seed in range(200):
        rng = random.Random(seed)
        for address_range in (RECORDED_RANGE - 1, RECORDED_RANGE):
            batch.set_generator_state(0, rng.getstate())
            game.game["address_order"] = HOST_ORDER
            draw_addresses(batch.games, int64(subnet), int64(address_range))
            if address_range != RECORDED_RANGE:
                assert game.game["address_order"] == HOST_ORDER
        rng.choice([0])
        drawn = dict(zip(rng.sample(range(14), len(hosts)), hosts, strict=True))
        assert batch.generator_state(0) == rng.getstate()
        host = drawn.get(RECORDED_PLACE)
        assert game.game["address_order"] == (HOST_ORDER if host is None else put_first(int64(host)))
        first.add(host)
    assert first == {None, *hosts}


@pytest.mark.parametrize(("seed", "host"), [(1097, "Op_Server0"), (3082, "User1"), (11, None)])
def test_a_reset_lists_addresses_as_the_network_has_them(play: Callable[..., Any], seed: int, host: str | None) -> None:
    order = HOST_ORDER if host is None else put_first(int64(spec.HOST_NAMES.index(host)))
    game = play(seed=seed)
    assert game.game["address_order"] == order
    game.env.reset(None)  # the next network is another
    assert game.game["address_order"] == HOST_ORDER


def test_red_starts_on_user0_as_system(play: Callable[..., Any]) -> None:
    game = play()
    assert game.sessions("User0") == [(game.game["starting_pids"][USER0][2], True)]
    assert game.env.red_hosts() == 1 << USER0


def test_pids_of_all_kinds_of_processes_are_in_use(play: Callable[..., Any]) -> None:
    game = play()
    game.blue("DecoyApache Op_Server0")
    batch = game.env.batch
    [(decoy, _)] = game.decoys("Op_Server0")
    used = [1091, 1043, decoy, game.game["starting_pids"][OP_SERVER][0]]
    assert all(pid_in_use(batch.games, batch.lists, int64(OP_SERVER), int64(pid)) for pid in used)
    [(session, _)] = game.sessions("User0")
    assert pid_in_use(batch.games, batch.lists, int64(USER0), int64(session))
    assert not pid_in_use(batch.games, batch.lists, int64(USER0), int64(32767))


def test_the_stopped_ot_service_frees_its_pid(play: Callable[..., Any]) -> None:
    game = play()
    game.game["ot_running"] = 0
    batch = game.env.batch
    assert not pid_in_use(batch.games, batch.lists, int64(OP_SERVER), int64(1043))


def test_a_used_port_is_drawn_again_once(play: Callable[..., Any]) -> None:
    game = play()
    rng = random.Random()
    rng.setstate(game.env.batch.generator_state(0))
    game.game["used_ports"][3] = 0xFFFFFFFF
    drawn = draw_port(game.env.batch.games, int64(3))
    rng.randrange(49152, 60000)
    assert drawn == rng.randrange(49152, 60000) - 49152
    assert game.env.batch.generator_state(0) == rng.getstate()


def test_a_port_is_marked_as_used(play: Callable[..., Any]) -> None:
    game = play()
    port = draw_port(game.env.batch.games, int64(3))
    assert game.game["used_ports"][3][port // 32] == 1 << port % 32
    assert not game.game["used_ports"][4].any()
