from __future__ import annotations

import pytest

from pipeline.collect.ray import roster as ray_roster
from pipeline.collect.ray.roster import MAX_TASKS_PER_ACTOR, TOGETHER_S, RayActor, RayRoster


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ray_roster, "monotonic", clock)
    return clock


def crew_of(roster: RayRoster, number: int) -> list[RayActor]:
    actors = [RayActor(None) for _ in range(number)]
    for actor in actors:
        roster.add(actor)
        roster.come_up(actor)
    return actors


def test_deaths_at_a_time_are_one_generation_whenever_actors_came_up(clock: Clock) -> None:
    roster = RayRoster()
    actors: list[RayActor] = []
    for _ in range(5):
        actors += crew_of(roster, 1)
        clock.now_s += 60
    for actor in actors:
        roster.bury(actor)
        clock.now_s += TOGETHER_S / 10
    assert {actor.death for actor in actors} == {0}
    assert roster.generation == 1


def test_deaths_apart_are_several_generations_of_actors_that_came_up_together(clock: Clock) -> None:
    roster = RayRoster()
    actors = crew_of(roster, 3)
    for actor in actors:
        clock.now_s += 3600
        roster.bury(actor)
    assert [actor.death for actor in actors] == [0, 1, 2]
    assert roster.generation == 3


def test_a_row_of_deaths_without_a_pause_is_not_one_generation_for_ever(clock: Clock) -> None:
    roster = RayRoster()
    actors = crew_of(roster, 10)
    for actor in actors:
        roster.bury(actor)
        clock.now_s += TOGETHER_S * 0.75
    assert [actor.death for actor in actors] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_death_makes_those_doubtful_that_have_nothing_to_play(clock: Clock) -> None:
    roster = RayRoster()
    dead, idle, busy = crew_of(roster, 3)
    busy.tasks.append((1,))
    assert roster.bury(dead) == [idle]
    assert roster.num_up == 1
    assert roster.idlest() is busy
    roster.come_up(idle)
    assert roster.idlest() is idle
    assert roster.bury(dead) is None, "it is dead already"
    assert roster.generation == 1


def test_one_that_died_does_not_come_up_by_a_late_answer() -> None:
    roster = RayRoster()
    (actor,) = crew_of(roster, 1)
    roster.bury(actor)
    roster.come_up(actor)
    assert roster.num_up == 0


def test_what_it_played_is_told_and_what_waited_is_not() -> None:
    roster = RayRoster()
    (actor,) = crew_of(roster, 1)
    actor.tasks.extend([(1, 2), (3,)])
    assert roster.holder((3,)) is actor
    roster.bury(actor)
    assert actor.killer == (1, 2)
    assert roster.holder((3,)) is None


def test_the_idlest_has_room() -> None:
    roster = RayRoster()
    one, other = crew_of(roster, 2)
    for index in range(2 * MAX_TASKS_PER_ACTOR):
        actor = roster.idlest()
        assert actor is not None
        actor.tasks.append((index,))
    assert len(one.tasks) == len(other.tasks) == MAX_TASKS_PER_ACTOR
    assert roster.idlest() is None
