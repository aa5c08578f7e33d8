from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.trace.blue import BaselineBlue
from pipeline.trace.recorder import Recorder
from pipeline.trace.table import WIDTH, as_table, headlines
from tests.pipeline.trace.conftest import GAME, HEADER, seeds

if TYPE_CHECKING:
    from pipeline.trace.trace import Trace


def printed(trace: Trace) -> list[str]:
    console = Console(width=WIDTH, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(as_table(trace))
    return capture.get().splitlines()


def test_a_step_is_a_row(traces: list[Trace]) -> None:
    for trace in traces:
        rows = [row for row in printed(trace) if row[:5].strip().isdecimal()]
        assert len(rows) == len(trace.steps)
        for number, (row, step) in enumerate(zip(rows, trace.steps, strict=True), start=1):
            assert row.split()[0] == str(number)
            assert step.blue.action in row
            assert step.red.action in row
            assert all(host in row for host in step.network.sessions)
            assert ("failed" in row) == (step.blue.success is False or step.red.success is False)


def test_news_are_what_changed() -> None:
    trace = Recorder(replace(GAME, num_steps=30), BaselineBlue("restore")).play(0, 0, *seeds(0))
    lines = printed(trace)
    restored = next(index for index, line in enumerate(lines) if "Restore User" in line)
    assert "exploit, now " in lines[restored]  # it saw that, then restored
    assert "now No" in lines[restored + 1]
    assert "*: Red is privileged there" in lines[-1]
    assert not any("%" in line for line in lines)  # it has no probabilities


def test_a_policy_is_headed_by_where_it_comes_from() -> None:
    game = {"engine": "cyborg", "profile": "head", "cyborg": "csle-cyborg 0.0.3"}
    of_run: dict[str, str | int] = {"run": "logs/x", "actions": "greedy", "workflow_order": "a", "chosen": "b"}
    assert headlines(replace(HEADER, agent={"name": "policy", **of_run}, game=game)) == [
        "agent: policy of logs/x, greedy actions",
        "workflow: a (b)",
        "game: profile head, on csle-cyborg 0.0.3; comparison, seed 5",
    ]
    baseline = headlines(replace(HEADER, agent={"name": "sleep"}, game={**game, "engine": "fast"}))
    assert baseline[0] == "agent: sleep"
    assert "on the fast engine (csle-cyborg 0.0.3's game)" in baseline[1]
