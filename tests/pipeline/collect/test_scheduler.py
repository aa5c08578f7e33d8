from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pipeline.collect.scheduler import MAX_ATTEMPTS, Assignment, EpisodeGivenUpError, Scheduler
from pipeline.filling import BatchPlan


def plan(num_episodes: int) -> BatchPlan:
    return BatchPlan((5,) * num_episodes, first_episode=40, weight_version=0)


def rows(task: tuple[Assignment, ...]) -> list[tuple[int, int]]:
    return [(assignment.batch_index, assignment.row) for assignment in task]


def test_tasks_hold_episodes_of_one_plan_in_order() -> None:
    scheduler = Scheduler(episodes_per_task=2)
    scheduler.open(plan(3))
    scheduler.open(plan(2))

    assert scheduler.num_waiting == 5
    assert [rows(scheduler.next_task(10)) for _ in range(4)] == [
        [(0, 0), (0, 1)],
        [(0, 2)],
        [(1, 0), (1, 1)],
        [],
    ]
    assert (scheduler.num_waiting, scheduler.num_in_flight) == (0, 5)


def test_a_task_is_no_longer_than_there_is_room() -> None:
    scheduler = Scheduler(episodes_per_task=4)
    scheduler.open(plan(4))

    assert scheduler.next_task(0) == ()
    assert rows(scheduler.next_task(1)) == [(0, 0)]
    assert rows(scheduler.next_task(9)) == [(0, 1), (0, 2), (0, 3)]


def test_lost_episodes_come_first_and_unmixed() -> None:
    scheduler = Scheduler(episodes_per_task=3)
    scheduler.open(plan(2))
    scheduler.open(plan(4))
    first, second = scheduler.next_task(9), scheduler.next_task(9)
    assert scheduler.lost([(second[1], "raised"), (first[1], None), (first[0], None)]) == 3

    assert scheduler.num_waiting == 4
    tasks = [scheduler.next_task(9) for _ in range(3)]
    assert [rows(task) for task in tasks] == [[(1, 1)], [(0, 1), (0, 0)], [(1, 3)]]
    assert [assignment.attempt for task in tasks for assignment in task] == [1, 0, 0, 0]


def test_a_closed_plan_is_forgotten() -> None:
    scheduler = Scheduler(episodes_per_task=1)
    scheduler.open(plan(3))
    scheduler.open(plan(1))
    flying, lost = scheduler.next_task(1)[0], scheduler.next_task(1)[0]
    scheduler.close(0)

    assert scheduler.num_waiting == 1
    assert scheduler.num_in_flight == 2
    assert scheduler.filled(flying) is False
    assert scheduler.lost([(lost, "raised")]) == 0
    assert rows(scheduler.next_task(1)) == [(1, 0)]
    scheduler.close(0)  # once more is no harm


def test_lost_episodes_of_a_closed_plan_do_not_wait_either() -> None:
    scheduler = Scheduler(episodes_per_task=1)
    scheduler.open(plan(1))
    scheduler.lost([(scheduler.next_task(1)[0], None)])
    scheduler.close(0)

    assert scheduler.next_task(1) == ()


def test_an_episode_is_given_up_when_it_is_to_blame_for_the_third_time() -> None:
    scheduler = Scheduler(episodes_per_task=1)
    scheduler.open(plan(1))
    for blame in ("first", None, "second", None):
        assert scheduler.lost([(scheduler.next_task(1)[0], blame)]) == 1
    (assignment,) = scheduler.next_task(1)
    with pytest.raises(EpisodeGivenUpError, match=r"episode 40 of workflow 5 failed 3 times: the last") as error:
        scheduler.lost([(assignment, "the last")])

    assert error.value.assignment is assignment


def test_an_episode_has_its_last_chance_alone() -> None:
    scheduler = Scheduler(episodes_per_task=3)
    scheduler.open(plan(4))
    for _ in range(MAX_ATTEMPTS - 1):
        task = scheduler.next_task(3)
        assert rows(task) == [(0, 0), (0, 1), (0, 2)]
        scheduler.lost([(task[0], "mine, perhaps"), (task[1], "mine, perhaps"), (task[2], None)])
    # two are to blame, or one of them: nobody else is in flight when that is found out
    (first,) = scheduler.next_task(3)
    assert rows([first]) == [(0, 0)]
    assert scheduler.next_task(3) == ()
    assert scheduler.filled(first)
    (second,) = scheduler.next_task(3)
    assert rows([second]) == [(0, 1)]
    with pytest.raises(EpisodeGivenUpError, match="mine"):
        scheduler.lost([(second, "mine")])


def test_a_last_chance_waits_for_what_is_in_flight() -> None:
    scheduler = Scheduler(episodes_per_task=1)
    scheduler.open(plan(2))
    (suspect,), (other,) = scheduler.next_task(1), scheduler.next_task(1)
    for _ in range(MAX_ATTEMPTS - 2):
        scheduler.lost([(suspect, "mine")])
        (suspect,) = scheduler.next_task(1)
    scheduler.lost([(suspect, "mine")])
    assert scheduler.next_task(1) == ()
    assert scheduler.num_waiting == 1
    scheduler.filled(other)
    assert rows(scheduler.next_task(1)) == [(0, 0)]


def test_batches_are_counted_and_no_index_comes_twice() -> None:
    scheduler = Scheduler(episodes_per_task=4)
    same = plan(1)
    assert [scheduler.open(same), scheduler.open(same)] == [0, 1]
    tasks = [scheduler.next_task(4) for _ in range(2)]
    assert [rows(task) for task in tasks] == [[(0, 0)], [(1, 0)]]  # one plan that is asked for twice is two batches
    for task in tasks:
        scheduler.lost([(task[0], None)])
    assert [rows(scheduler.next_task(4)) for _ in range(2)] == [[(0, 0)], [(1, 0)]]
    scheduler.close(1)
    assert scheduler.open(same) == 2


def test_what_is_not_in_flight_does_not_land() -> None:
    scheduler = Scheduler(episodes_per_task=1)
    scheduler.open(plan(1))
    with pytest.raises(KeyError):
        scheduler.filled(Assignment(0, plan(1), 0))
    (assignment,) = scheduler.next_task(1)
    scheduler.filled(assignment)
    with pytest.raises(KeyError):
        scheduler.filled(assignment)


class SchedulerMachine(RuleBasedStateMachine):
    """Drives a scheduler in any order, beside a model that knows of each row where it has to be."""

    def __init__(self) -> None:
        super().__init__()
        self.episodes_per_task = 3
        self.scheduler = Scheduler(self.episodes_per_task)
        self.num_plans = 0
        self.fresh: list[tuple[int, int]] = []
        self.again: list[tuple[int, int]] = []
        self.flying: dict[tuple[int, int], Assignment] = {}
        self.attempts: dict[tuple[int, int], int] = {}
        self.handed_over: dict[int, set[int]] = {}
        """Rows that were handed over, of open plans."""
        self.sizes: dict[int, int] = {}
        """Of open plans."""

    def has_last_chance(self, key: tuple[int, int]) -> bool:
        return self.attempts.get(key, 0) == MAX_ATTEMPTS - 1

    @rule(num_episodes=st.integers(1, 7))
    def open(self, num_episodes: int) -> None:
        index = self.scheduler.open(plan(num_episodes))
        assert index == self.num_plans
        self.num_plans += 1
        self.sizes[index], self.handed_over[index] = num_episodes, set()
        self.fresh += [(index, row) for row in range(num_episodes)]

    @precondition(lambda self: self.num_plans)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, self.num_plans - 1), "batch_index")  # whether open or not
        self.scheduler.close(index)
        self.sizes.pop(index, None)
        self.handed_over.pop(index, None)
        self.fresh = [key for key in self.fresh if key[0] != index]
        self.again = [key for key in self.again if key[0] != index]

    @rule(max_episodes=st.integers(0, 5))
    def next_task(self, max_episodes: int) -> None:
        queue = self.again or self.fresh
        limit = min(max_episodes, self.episodes_per_task)
        if queue and self.has_last_chance(queue[0]):
            limit = min(limit, 0 if self.flying else 1)
        elif any(map(self.has_last_chance, self.flying)):
            limit = 0
        else:
            queue = list(takewhile(lambda key: not self.has_last_chance(key), queue))
        expected = list(takewhile(lambda key: key[0] == queue[0][0], queue[:limit]))
        task = self.scheduler.next_task(max_episodes)
        queue = self.again or self.fresh

        assert rows(task) == expected
        del queue[: len(expected)]
        for key, assignment in zip(expected, task, strict=True):
            assert key not in self.flying
            assert assignment.attempt == self.attempts.get(key, 0)
            self.flying[key] = assignment

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def filled(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.flying)), "row")
        wanted = self.scheduler.filled(self.flying.pop(key))

        assert wanted == (key[0] in self.sizes)
        if wanted:
            assert key[1] not in self.handed_over[key[0]]
            self.handed_over[key[0]].add(key[1])

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), dead=st.booleans())
    def lost(self, data: st.DataObject, dead: bool) -> None:
        keys = data.draw(st.lists(st.sampled_from(sorted(self.flying)), min_size=1, unique=True), "rows")
        wanted = [key for key in keys if key[0] in self.sizes]
        # of those that may still be blamed: giving one up is the end
        blamed = keys[0] if dead and self.attempts.get(keys[0], 0) + 1 < MAX_ATTEMPTS else None
        num_again = self.scheduler.lost([(self.flying.pop(key), "died" if key == blamed else None) for key in keys])

        assert num_again == len(wanted)
        self.again += wanted
        if blamed in wanted:
            self.attempts[blamed] = self.attempts.get(blamed, 0) + 1

    @invariant()
    def counts(self) -> None:
        assert self.scheduler.num_waiting == len(self.fresh) + len(self.again)
        assert self.scheduler.num_in_flight == len(self.flying)

    def teardown(self) -> None:
        """Play what is left: every row that is still wanted is handed over exactly once."""
        while self.scheduler.num_waiting:
            self.next_task(self.episodes_per_task)
            self.land_all()
        self.land_all()
        assert self.handed_over == {index: set(range(size)) for index, size in self.sizes.items()}
        assert (self.scheduler.num_waiting, self.scheduler.num_in_flight) == (0, 0)

    def land_all(self) -> None:
        for (index, row), assignment in self.flying.items():
            if self.scheduler.filled(assignment):
                assert row not in self.handed_over[index]
                self.handed_over[index].add(row)
        self.flying.clear()


TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(max_examples=60, stateful_step_count=40)
