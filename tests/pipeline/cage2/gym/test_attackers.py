from __future__ import annotations

from pipeline.cage2.gym.attackers import Attackers
from pipeline.cage2.mixed_env import MIXED, MIXED_AGENTS, mixed_index


def test_one_attacks_always() -> None:
    attackers = Attackers("SleepAgent", 3)
    assert attackers.names == ("SleepAgent",)
    for seeds in ([1, 2], [None, -7]):
        assert attackers.next([0, 2], seeds) == ["SleepAgent"] * 2


def test_of_a_mixture_the_seed_chooses_as_in_training() -> None:
    attackers = Attackers(MIXED, 1)
    for seed in (0, 1, 2**63, 2**63 + 1, 2**200 + 1):
        assert attackers.next([0], [seed]) == [MIXED_AGENTS[mixed_index(seed)]] == attackers.next([0], [-seed])


def test_without_seeds_they_take_turns_in_each_game() -> None:
    attackers = Attackers(MIXED, 2)
    attackers.next([0, 1], [0, 1])
    assert attackers.next([0, 1], [None, None]) == [MIXED_AGENTS[1], MIXED_AGENTS[0]]
    assert attackers.next([1], [None]) == [MIXED_AGENTS[1]]
    assert attackers.next([0, 1], [None, None]) == [MIXED_AGENTS[0], MIXED_AGENTS[0]]
    assert Attackers(MIXED, 1).next([0], [None]) == [MIXED_AGENTS[0]]


def test_after_a_game_goes_on_from_elsewhere_the_turn_is_the_other_s() -> None:
    attackers = Attackers(MIXED, 2)
    attackers.next([0, 1], [0, 0])
    attackers.resume([1, 0], MIXED_AGENTS)
    assert attackers.next([0, 1], [None, None]) == [MIXED_AGENTS[0], MIXED_AGENTS[1]]


def test_any_number_attacks_by_turns_and_by_seed() -> None:
    names = ("SleepAgent", "a.py:Mine", "B_lineAgent")
    attackers = Attackers(",".join(names), 1)
    assert attackers.names == names
    assert [attackers.next([0], [seed])[0] for seed in (0, 1, 2, 3, -5)] == [names[i] for i in (0, 1, 2, 0, 2)]
    assert [attackers.next([0], [None])[0] for _ in range(3)] == list(names)
