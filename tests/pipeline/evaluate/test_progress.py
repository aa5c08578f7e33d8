from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pipeline.evaluate import progress as module
from pipeline.evaluate.progress import progress

if TYPE_CHECKING:
    import pytest


def test_what_is_done_at_once_is_done_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with progress(100) as note:
        note(100)
    assert capsys.readouterr() == ("", "")
    assert threading.active_count() == before


def test_what_takes_longer_is_told_in_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    start = module._Lines.start
    monkeypatch.setattr(module._Lines, "start", lambda lines: (start(lines), told.set()))
    monkeypatch.setattr(module, "SILENT_S", 0.0)
    with progress(9000) as note:
        assert told.wait(10)
        note(500)
        monkeypatch.setattr(module, "LINE_INTERVAL_S", 0.0)
        note(1000)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["playing: 0 of 9,000 episodes", "playing: 1,500 of 9,000 episodes"]


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's word for: take it for a terminal
    monkeypatch.setenv("TERM", "xterm")
    told = threading.Event()
    start = module.Progress.start
    monkeypatch.setattr(module.Progress, "start", lambda bar: (start(bar), told.set()))
    monkeypatch.setattr(module, "SILENT_S", 0.0)
    with progress(9000) as note:
        assert told.wait(10)
        note(9000)
    out, err = capsys.readouterr()
    assert out == ""
    assert "9000/9000" in err
    assert err.endswith("\x1b[2K")  # the line is cleared
