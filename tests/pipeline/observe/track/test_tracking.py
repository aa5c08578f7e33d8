from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.observe.track import tracking as module
from pipeline.observe.track.tracking import MAX_QUEUED_POINTS, Tracking
from pipeline.types import UpdateResult, WorkflowFinished

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.types import Event


class Board:
    """Takes all that it is told, once it may; or fails at a point."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.told: list[tuple[int, float]] = []
        self.may_take = threading.Event()
        self.may_take.set()
        self.is_closed = False
        self._fails_at = fails_at

    def log(self, scalars: Mapping[str, float], total_episodes: int) -> None:
        self.may_take.wait()
        if len(self.told) == self._fails_at:
            raise ConnectionError("nobody there")
        self.told.append((total_episodes, next(iter(scalars.values()))))

    def close(self) -> None:
        self.is_closed = True


async def test_it_tells_of_updates_and_visits_by_the_runs_episodes(events: list[Event], update: UpdateResult) -> None:
    board = Board()
    tracking = Tracking("Board", lambda: board, total_episodes=7)
    for event in events:
        tracking(event)
    await tracking.end()
    finished = next(event for event in events if isinstance(event, WorkflowFinished))
    assert board.told == [
        (update.total_episodes, update.env_reward.mean),
        (update.total_episodes, finished.result.score.env_reward.mean),
    ]
    assert board.is_closed


async def test_a_visit_that_ends_before_an_update_is_told_by_the_episodes_of_before(events: list[Event]) -> None:
    board = Board()
    tracking = Tracking("Board", lambda: board, total_episodes=7)
    tracking(next(event for event in events if isinstance(event, WorkflowFinished)))
    await tracking.end()
    assert [total for total, _ in board.told] == [7]


async def test_nobody_waits_for_a_tracker_that_is_slow_and_what_it_is_not_told_is_counted(update: UpdateResult) -> None:
    board = Board()
    board.may_take.clear()
    tracking = Tracking("Board", lambda: board)
    for total in range(MAX_QUEUED_POINTS + 100):
        tracking(replace(update, total_episodes=total))
    board.may_take.set()
    with pytest.warns(RuntimeWarning, match=r"Board doesn't have all of the run.*: (99|100) points were left out"):
        await tracking.end()
    assert len(board.told) in (MAX_QUEUED_POINTS, MAX_QUEUED_POINTS + 1)  # it may have held one already


async def test_one_that_fails_is_told_no_more_and_ends_nothing(update: UpdateResult) -> None:
    board = Board(fails_at=1)
    tracking = Tracking("Board", lambda: board)
    for total in range(3):
        tracking(replace(update, total_episodes=total))
    with pytest.warns(RuntimeWarning, match="ConnectionError: nobody there; 2 points were left out"):
        await tracking.end()
    assert board.is_closed


async def test_one_that_can_not_be_opened_ends_nothing(update: UpdateResult) -> None:
    def open_board() -> Board:
        raise PermissionError("not logged in")

    tracking = Tracking("Board", open_board)
    tracking(update)
    with pytest.warns(RuntimeWarning, match="PermissionError: not logged in; 1 points were left out"):
        await tracking.end()


async def test_a_run_ends_without_a_tracker_that_does_not(
    update: UpdateResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "END_TIMEOUT_S", 0.1)
    board = Board()
    board.may_take.clear()
    tracking = Tracking("Board", lambda: board)
    tracking(update)
    with pytest.warns(RuntimeWarning, match="it has not taken all"):
        await tracking.end()
    board.may_take.set()
    tracking._thread.join()
