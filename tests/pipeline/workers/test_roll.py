from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.workers import roll
from pipeline.workers.death import Handle
from pipeline.workers.roll import Roll, initialize

if TYPE_CHECKING:
    import pytest


def test_who_calls_in_after_its_initializer_is_present(monkeypatch: pytest.MonkeyPatch) -> None:
    called_in, done = Roll(), []
    own, other = Handle(os.getpid()), Handle(os.getppid())
    assert called_in.missing([own, other]) == []  # they have time
    monkeypatch.setattr(roll, "START_TIMEOUT_S", 0.0)
    assert called_in.missing([own, other]) == [own, other]
    initialize(called_in.tells, done.append, 7)
    assert done == [7]
    assert called_in.missing([own, other]) == [other]
    assert called_in.missing([own]) == []


def test_each_that_calls_in_gives_the_others_their_time_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(roll.time, "monotonic", lambda: now_s)
    called_in = Roll()
    own, other = Handle(os.getpid()), Handle(os.getppid())
    now_s = roll.START_TIMEOUT_S - 1
    initialize(called_in.tells, lambda: None)
    assert called_in.missing([own, other]) == []
    now_s = 2 * roll.START_TIMEOUT_S - 2
    assert called_in.missing([own, other]) == []
    now_s += 2
    assert called_in.missing([own, other]) == [other]
