from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from pipeline.experiment import progress as module
from pipeline.experiment.outcome import outcome_of
from pipeline.experiment.plan import Plan
from pipeline.experiment.progress import ExperimentProgress
from pipeline.experiment.runner import RunEnded, RunFailed, VariantStopped

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.pipeline.conftest import EndedRun


def test_what_happens_is_a_line_each(ended_run: EndedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other, third = Plan({"a": {}}, 3).runs(tmp_path, {})
    with ExperimentProgress([one, other, third]) as progress:
        progress.note(RunEnded(one, outcome_of(ended_run("a-seed0", -14.0))))
        progress.note(RunEnded(other, outcome_of(ended_run("a-seed1", None, seed=1))))
        progress.note(RunFailed(third, "a line\nand another"))
        progress.note(VariantStopped("[red]", 5))
        progress.note(VariantStopped("trial-004", 1, "below the median"))
    assert capsys.readouterr().err.splitlines() == [
        "a-seed0: greedy -14.0, sampled -15.0, compliance 0.95 (1 of 3 have ended)",
        "a-seed1: names no defender (2 of 3 have ended)",
        r"a-seed2: failed: a line\nand another",
        "[red]: hopeless after 5 seeds, gets no more",
        "trial-004: below the median after 1 seed, gets no more",
    ]


async def test_without_a_terminal_it_says_now_and_then_how_far_it_has_come(
    ended_run: EndedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    monkeypatch.setattr(module, "_LINE_INTERVAL_S", 0.01)
    ended_run("a-seed0", -14.0, [-90, -40], total_episodes=500)
    with ExperimentProgress(list(Plan({"a": {"total_episodes": 500}}, 2).runs(tmp_path, {}))) as progress:
        look = asyncio.create_task(progress.look())
        err = ""
        while not err:
            await asyncio.sleep(0.01)
            err = capsys.readouterr().err
        look.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await look
    assert err.startswith("200 of 1,000 episodes\n")
