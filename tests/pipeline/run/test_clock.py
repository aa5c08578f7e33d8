from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from pipeline.run import clock as module
from pipeline.run.clock import Clock

if TYPE_CHECKING:
    import pytest


def test_it_runs_from_when_it_is_made_and_notes_the_first_episode_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.s))
    clock = Clock()
    assert (clock.wall_s, clock.first_episode_s) == (0.0, None)
    now.s = 102.5
    assert clock.note_episode() == 2.5
    now.s = 104.0
    assert clock.note_episode() is None
    assert (clock.wall_s, clock.first_episode_s) == (4.0, 2.5)
