from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.collect.deadline import FACTOR, FIRST_S, MIN_S, QUANTILE, WINDOW, Deadline, Flight


def test_the_first_episode_has_long() -> None:
    assert Deadline().limit_s() == Deadline().limit_s(5) == FIRST_S


def test_short_episodes_have_a_floor() -> None:
    deadline = Deadline()
    deadline.note(1e-5)
    assert deadline.limit_s() == MIN_S


def test_it_follows_the_machine_within_a_window() -> None:
    deadline = Deadline()
    for duration_s in [1.0] * WINDOW + [3.0] * 2 * WINDOW:
        deadline.note(duration_s)
    assert deadline.limit_s() == FACTOR * 3.0
    assert deadline.limit_s(4) == FACTOR * 3.0 * 4


@given(st.lists(st.floats(1, 100), min_size=1, max_size=31))
def test_it_is_made_of_the_first_episode_until_there_are_more(durations: list[float]) -> None:
    deadline = Deadline()
    for duration_s in durations:
        deadline.note(duration_s)
    assert deadline.limit_s() == max(MIN_S, FACTOR * durations[0])


def test_one_slow_episode_in_a_hundred_is_no_measure() -> None:
    deadline = Deadline()
    durations = [1.0] * 999 + [50.0]
    for duration_s in np.random.default_rng(0).permutation(durations):
        deadline.note(duration_s)
    assert QUANTILE < 0.999
    assert deadline.limit_s() == FACTOR


@given(*[st.integers(0, 100)] * 4, st.integers(1, 50))
def test_a_sign_of_life_gives_a_task_its_time_anew(
    submitted_s: int, own_s: int, others_s: int, now_s: int, limit_s: int
) -> None:
    played = Flight(submitted_s, own_s, is_waiting=False, limit_s=limit_s)
    assert played.is_overdue(now_s, others_s) == (now_s > max(submitted_s, own_s) + limit_s)  # whatever others do
    waiting = Flight(submitted_s, 0, is_waiting=True, limit_s=limit_s)
    assert waiting.is_overdue(now_s, others_s) == (now_s > max(submitted_s, others_s) + limit_s)
