from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts.spec import ACTION_NAMES, NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.play.baselines import play_random, play_restore, play_sleep

NOTHING = np.zeros(OBSERVATION_SIZE, dtype=np.int8)
SCAN, EXPLOIT, UNKNOWN, USER, PRIVILEGED = (1, 0), (1, 1), (1, 0), (0, 1), (1, 1)
USER1, USER4 = 9, 12


def shown(
    activity: dict[int, tuple[int, int]], states: dict[int, tuple[int, int]]
) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    observation = NOTHING.copy()
    for host, bits in activity.items():
        observation[4 * host : 4 * host + 2] = bits
    for host, bits in states.items():
        observation[4 * host + 2 : 4 * host + 4] = bits
    return observation


def test_random_gives_every_action_the_same_share() -> None:
    num = 1000
    uniforms = (np.arange(num * NUM_ACTIONS) + 0.5) / (num * NUM_ACTIONS)
    assert Counter(play_random(NOTHING, uniform) for uniform in uniforms) == dict.fromkeys(range(NUM_ACTIONS), num)


@given(st.floats(0, 1, exclude_max=True))
def test_random_never_leaves_the_actions(uniform: float) -> None:
    assert 0 <= play_random(NOTHING, uniform) < NUM_ACTIONS


def test_sleep_sleeps() -> None:
    assert ACTION_NAMES[play_sleep(np.ones_like(NOTHING), 0.99)] == "Sleep"


@pytest.mark.parametrize(
    ("activity", "states", "action"),
    [
        ({}, {}, "Sleep"),
        ({USER1: SCAN, USER4: SCAN}, {}, "Sleep"),
        ({USER1: EXPLOIT}, {USER1: USER}, "Restore User1"),
        ({}, {USER4: UNKNOWN}, "Restore User4"),
        ({}, {0: PRIVILEGED}, "Restore Defender"),
        ({USER1: SCAN}, {USER4: PRIVILEGED}, "Restore User4"),
        ({}, {USER4: USER, USER1: USER}, "Restore User1"),
    ],
)
def test_restore_restores_what_looks_compromised(
    activity: dict[int, tuple[int, int]], states: dict[int, tuple[int, int]], action: str
) -> None:
    assert ACTION_NAMES[play_restore(shown(activity, states), 0.5)] == action
