from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.command.wording import headline, notes, resume_command, summary
from pipeline.config import Config
from pipeline.machine import num_cores
from pipeline.numerics import cache
from pipeline.types import Estimate, RunFinished, Score, TiedOrder, VisitEnd, WorkflowFinished, WorkflowResult

ORDER = "op_server -> defender -> enterprise -> op_host -> user"


def test_notes_say_what_will_not_help() -> None:
    cores = num_cores()
    shared = Config(workers=cores, episodes_per_update=1000, policy="shared", patience=9, warm_start=True)
    assert list(notes(shared)) == [
        "with --policy shared the policy has all episodes: --patience, --warm-start not used"
    ]
    assert list(notes(Config(workers=cores, episodes_per_update=1000))) == []
    assert list(notes(Config(workers=cores + 1, episodes_per_update=1000))) == [
        f"{cores + 1} workers on {cores} cores: that works, but is no faster than {cores}"
    ]
    assert list(notes(Config(workers=1000, episodes_per_update=10)))[-1] == (
        "at most 80 of 1000 workers can be busy: raise --episodes-per-update to use them all"
    )


def test_a_note_says_that_machine_code_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "why_not_kept", lambda: "machine code is compiled anew at every start")
    assert list(notes(Config(workers=1))) == ["machine code is compiled anew at every start"]


@pytest.mark.parametrize(
    ("program", "folder", "command"),
    [
        ("run.py", "logs/tuesday", "python run.py resume logs/tuesday"),
        ("../a b/run.py", "my logs/it's", """python '../a b/run.py' resume 'my logs/it'"'"'s'"""),
        ("/usr/bin/cage2-pipeline", "logs/tuesday", "cage2-pipeline resume logs/tuesday"),
    ],
)
def test_the_command_that_goes_on_can_be_pasted(
    program: str, folder: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "--workers", "2"])
    assert resume_command(Path(folder), Config()) == command
    own = Config(red_agent="B_lineAgent,my red.py:Mine")
    assert resume_command(Path(folder), own) == f"{command} --red-agent 'B_lineAgent,my red.py:Mine'"


FINISHED: dict[str, Any] = {
    "digest": "abc",
    "profile": "head",
    "reason": "budget",
    "episodes": 40,
    "updates": 5,
    "wall_s": 2.0,
    "episodes_per_s": 20.0,
    "best_workflow": "user -> defender",
    "best_score": Score(200, Estimate(-12.34, 0.5), 0.97),
    "posterior_best": "user -> defender",
    "posterior_mean": -13.0,
    "posterior_std": 0.7,
    "num_observed": 40,
    "too_few_observed": False,
    "tied_with_best": (
        TiedOrder("user -> defender", 0.9, observed=True),
        TiedOrder("defender -> user", 0.4, observed=False),
    ),
    "pairs": (),
    "settling": None,
}
NOTHING_FOUND = {
    "best_workflow": None,
    "best_score": None,
    "posterior_best": None,
    "posterior_mean": None,
    "posterior_std": None,
    "num_observed": 0,
    "too_few_observed": True,
    "tied_with_best": (),
}


def test_the_headline_says_why_it_is_over() -> None:
    assert headline(RunFinished(**FINISHED)) == (
        "done (the episode budget is used): 40 episodes, 5 updates, 2.0 s, 20.0 episodes/s"
    )


def test_the_headline_says_that_there_was_nothing_to_do() -> None:
    assert headline(RunFinished(**FINISHED), had_ended=True) == (
        "this run had ended already (the episode budget is used), with 40 episodes and 5 updates; "
        "nothing was left to do"
    )


def test_the_summary_says_what_was_found_and_where_it_lies() -> None:
    lines = list(summary(RunFinished(**FINISHED), None, Config(), Path("logs/tuesday")))
    assert lines[:2] == [
        "best workflow: user -> defender",
        "   env reward -12.3 ± 0.5, compliance 0.97 (200 fresh episodes)",
    ]
    assert " 40% likely  defender -> user (not trained to it)" in lines[5]
    assert lines[-2:] == ["digest: abc", "record: logs/tuesday"]


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("cap", "--max-episodes-per-workflow"),
        ("patience", "--patience"),
        ("budget", "--total-episodes"),
        ("threshold", "--total-episodes"),
        ("round", "--total-episodes"),
    ],
)
def test_the_summary_says_why_nothing_was_found(reason: VisitEnd, advice: str) -> None:
    result = WorkflowResult(57, Score(200, Estimate(-20.25, 0.5), 0.75), 640, reached_threshold=False, reason=reason)
    visit = WorkflowFinished(0, ORDER, 0.0, "search", result, gp_updated=False, best_workflow=None, best_score=None)
    none, *_ = summary(RunFinished(**{**FINISHED, **NOTHING_FOUND}), visit, Config(), Path("logs/tuesday"))
    assert none == (
        "best workflow: none, for no workflow has reached the compliance threshold of 0.95. Last evaluated: "
        f"{ORDER}, compliance 0.75, env reward -20.2 ± 0.5: give it more {advice}"
    )


def test_of_a_run_that_was_not_watched_the_summary_gives_no_advice() -> None:
    none, *_ = summary(RunFinished(**{**FINISHED, **NOTHING_FOUND}), None, Config(), Path("logs/tuesday"))
    assert none.endswith("has reached the compliance threshold of 0.95")


def test_the_summary_says_that_the_only_one_is_in_the_finals() -> None:
    finished = RunFinished(**{**FINISHED, **NOTHING_FOUND, "num_observed": 1})
    none, *_ = summary(finished, None, Config(), Path("logs/tuesday"))
    assert none.endswith("is being trained from the beginning in the finals")


def test_one_update_is_one() -> None:
    one = RunFinished(**{**FINISHED, "updates": 1})
    assert " 1 update, " in headline(one)
    assert " 1 update; " in headline(one, had_ended=True)


def test_a_run_that_was_stopped_can_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py"])
    stopped = RunFinished(**{**FINISHED, **NOTHING_FOUND, "reason": "stopped"})
    assert headline(stopped).startswith("done (stopped on request)")
    *_, record, going_on = summary(stopped, None, Config(), Path("logs/a\nb"))
    assert record == r"record: logs/a\nb"
    assert going_on == r"go on with: python run.py resume 'logs/a\nb'"
