from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from pipeline.cage2.blue.interface import (
    DECOYS_OF_HOST,
    FIRST_BIT,
    HOSTS_THAT_MATTER,
    MERGED,
    NEXT_DECOY,
    REMEMBERED,
    Interface,
    Mask,
)
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.tables import (
    BASE_PORTS,
    DECOY_FREE_PORT,
    DECOY_HOSTS,
    DECOY_PORT,
    HEAVIEST_OPTION,
    NUM_OPTIONS,
    OPTIONS_OF_PORTS,
)
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import Actions, Profile, UnknownNameError
from pipeline.policy.forward import MAX_OBSERVATION_SIZE

BOTH_OPTIONS: list[tuple[bool, Actions]] = [
    (memory, actions) for memory in (False, True) for actions in get_args(Actions)
]
HOSTS_WITH_DECOYS = [host for host in range(spec.NUM_HOSTS) if DECOYS_OF_HOST[host]]


def test_plainly_it_is_cyborg_s_own() -> None:
    assert (Interface().observation_size, Interface().num_actions) == (52, 145)


@pytest.mark.parametrize("actions", ["all", "merged"])
def test_a_memory_adds_to_the_observation_and_merging_takes_from_the_actions(actions: str) -> None:
    rich = Interface(observation_memory=True, actions=actions)
    assert rich.observation_size == 52 + 4 * 11 + 1 + 2 * 11 + 2 + 9 <= MAX_OBSERVATION_SIZE
    assert rich.num_actions == {"all": 145, "merged": 31}[actions]


def test_every_bit_that_a_memory_adds_has_one_place_and_one_meaning() -> None:
    ends = [FIRST_BIT[name] + kind.num_bits for name, kind in REMEMBERED.items()]
    assert [*FIRST_BIT.values(), Interface(observation_memory=True).observation_size] == [52, *ends]
    assert len({kind.meaning for kind in REMEMBERED.values()}) == len(REMEMBERED)


def test_the_guide_has_the_table_of_these_bits() -> None:
    guide = (Path(__file__).parents[4] / "docs" / "learning.md").read_text(encoding="utf-8")
    _, _, table = guide.partition("| bits | what |\n| --- | --- |\n")
    rows = [f"| {kind.num_bits} | {kind.meaning} |" for kind in REMEMBERED.values()]
    assert table.splitlines()[: len(rows) + 1] == [*rows, ""]


def test_actions_that_there_are_not_are_refused() -> None:
    """They once passed for all."""
    with pytest.raises(UnknownNameError, match="unknown actions 'Merged': choose one of all, merged"):
        Interface(actions="Merged")


def test_merged_actions_are_real_ones_each_once() -> None:
    names = [spec.ACTION_NAMES[action] for action in MERGED.tolist() if action >= 0]
    assert len(set(MERGED.tolist())) == len(MERGED)
    assert names[0] == "Sleep"
    assert "Monitor" not in names
    assert not any(name.endswith((" Defender", " User0")) or "Decoy" in name for name in names)
    for block in ("Analyse", "Restore"):
        targets = [name.split()[1] for name in names if name.startswith(block)]
        assert targets == [spec.HOST_NAMES[host] for host in HOSTS_THAT_MATTER]
    assert [name for name in names if name.startswith("Remove")] == ["Remove User2", "Remove User3", "Remove User4"]
    assert [NEXT_DECOY - action for action in MERGED.tolist() if action < 0] == HOSTS_WITH_DECOYS


@pytest.mark.parametrize("host", HOSTS_WITH_DECOYS)
def test_the_decoys_of_a_host_can_all_be_placed_and_each_makes_red_s_aim_worse(host: int) -> None:
    env = FastEnv("SleepAgent")
    env.reset(0)
    ports = int(BASE_PORTS[host])
    hit = [_chance_of_a_real_victim(host, ports, 0)]
    faked = 0
    for kind in DECOYS_OF_HOST[host]:
        assert DECOY_HOSTS[kind] >> host & 1
        assert not (ports | faked) & DECOY_FREE_PORT[kind]
        env.step(spec.DECOY + spec.NUM_HOSTS * kind + host)
        assert env.batch.games["blue_success"][0] == 1
        faked |= int(DECOY_PORT[kind])
        hit.append(_chance_of_a_real_victim(host, ports, faked))
    assert all(after < before for before, after in pairwise(hit))
    assert hit[1] <= 0.25  # the first one alone draws three attacks of four


@pytest.mark.parametrize(
    "host",
    [
        host
        for host in HOSTS_THAT_MATTER
        # decoys do help on an Op_Host; it is just that Red hardly ever comes there
        if not DECOYS_OF_HOST[host] and spec.HOST_TYPES[spec.HOST_TYPE_OF_HOST[host]] != "op_host"
    ],
)
def test_decoys_that_were_left_out_hardly_help(host: int) -> None:
    faked = 0
    for kind in range(len(spec.DECOYS)):
        if DECOY_HOSTS[kind] >> host & 1 and not (BASE_PORTS[host] | faked) & DECOY_FREE_PORT[kind]:
            faked |= int(DECOY_PORT[kind])
    faked &= ~int(BASE_PORTS[host])  # of two that listen, the host's own server comes first
    assert _chance_of_a_real_victim(host, int(BASE_PORTS[host]), faked) >= 0.8


def _chance_of_a_real_victim(host: int, ports: int, faked: int) -> float:
    """Red's choice of exploit by the rules of the game: how likely it is aimed at one of the host's own ports."""
    options = int(OPTIONS_OF_PORTS[ports | faked])
    places = [place for place in range(len(spec.EXPLOITS)) if options >> place & 1]
    real = {place for place in places if OPTIONS_OF_PORTS[ports] >> place & 1}
    if NUM_OPTIONS[options] == 1:
        return 1.0
    top = int(HEAVIEST_OPTION[options])
    others = [place for place in places if place != top]
    return 0.75 * (top in real) + 0.25 * sum(place in real for place in others) / len(others)


def test_a_game_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown profile 'today': choose one of head, leaderboard"):
        Interface(profile="today")


def test_both_games_have_the_same_form_so_that_a_policy_can_go_from_one_to_the_other() -> None:
    head, leaderboard = (Interface(True, "merged", profile) for profile in get_args(Profile))
    assert head.observation_size == leaderboard.observation_size
    assert head.action_names == leaderboard.action_names
    assert head.mask is not None
    assert leaderboard.mask is not None
    differing = [
        head.action_names[choice]
        for choice in range(head.num_actions)
        if (head.mask.cause[choice], head.mask.spent[choice])
        != (leaderboard.mask.cause[choice], leaderboard.mask.spent[choice])
    ]
    assert differing == ["Restore User3", "Restore User4"]


def test_a_policy_of_the_leaderboard_s_game_may_restore_a_mail_server_that_nobody_attacked() -> None:
    """Red's heaviest exploit fails on it from then on, and what else succeeds on User3 can be removed."""
    restores: dict[Profile, list[str]] = {}
    for profile in get_args(Profile):
        interface = Interface(True, "merged", profile)
        masked = _masked(interface.mask, np.zeros(interface.observation_size, np.int8))
        names = np.array(interface.action_names)[~masked].tolist()
        restores[profile] = [name for name in names if name.startswith("Restore")]
    assert restores == {"head": [], "leaderboard": ["Restore User3", "Restore User4"]}


def test_only_with_a_memory_a_policy_can_know_what_is_useless() -> None:
    masked = [(memory, actions) for memory, actions in BOTH_OPTIONS if Interface(memory, actions).mask]
    assert masked == [(True, "merged")]


@pytest.mark.parametrize("profile", get_args(Profile))
@pytest.mark.parametrize("red_agent", ["B_lineAgent", "RedMeanderAgent"])
def test_masked_are_decoys_that_would_fail_and_hosts_without_a_session(red_agent: str, profile: Profile) -> None:
    interface = Interface(observation_memory=True, actions="merged", profile=profile)
    env, memory, rng = FastEnv(red_agent, profile), Memory(interface), np.random.default_rng(0)
    row = np.empty(interface.observation_size, np.int8)
    num_decoys = num_others = num_removes = 0
    for seed in range(100):
        memory.begin(100, env.reset(seed), row)
        for _ in range(100):
            masked = _masked(interface.mask, row)
            for choice in np.flatnonzero(masked).tolist():
                if MERGED[choice] > NEXT_DECOY and not spec.REMOVE <= MERGED[choice] < spec.DECOY:
                    host = (MERGED[choice] - spec.ANALYSE) % spec.NUM_HOSTS
                    is_known = MERGED[choice] < spec.REMOVE and row[spec.BITS_PER_HOST * host + 2] == 1
                    assert is_known or not env.red_hosts() >> host & 1
            choice = int(rng.integers(0, interface.num_actions))
            if rng.random() < 0.3:  # more decoys than there is room for
                choice = int(rng.choice(np.flatnonzero(MERGED <= NEXT_DECOY)))
            sessions = env.batch.games["num_sessions"][0].copy()
            table, _ = env.step(memory.act(choice))
            if masked[choice] and spec.REMOVE <= MERGED[choice] < spec.DECOY:
                host = MERGED[choice] - spec.REMOVE
                assert env.batch.games["num_sessions"][0][host] >= sessions[host]
                num_removes += 1
            if MERGED[choice] <= NEXT_DECOY:
                assert bool(env.batch.games["blue_success"][0]) != masked[choice]
                num_decoys += masked[choice]
            else:
                num_others += masked[choice]
            memory.see(table, row)
    assert num_decoys > 50
    assert num_others > 50
    assert num_removes > 50


def _masked(mask: Mask | None, row: np.ndarray) -> np.ndarray:
    assert mask is not None
    causes = [bit is not None and row[bit] == 0 for bit in mask.cause]
    spent = [bit is not None and row[bit] == 1 for bit in mask.spent]
    return np.array(causes) | np.array(spent)


def test_every_action_has_a_name_of_its_own() -> None:
    names = Interface(actions="merged").action_names
    assert len(set(names)) == len(names) == Interface(actions="merged").num_actions
    assert names[:2] == ("Sleep", "Analyse Enterprise0")
    assert [name for name in names if name.startswith("Decoy")] == [
        *("Decoy Enterprise0", "Decoy Enterprise1", "Decoy Enterprise2", "Decoy Op_Server0", "Decoy User2"),
    ]
    assert names[-1] == "Restore User4"
    assert Interface().action_names == spec.ACTION_NAMES
