from __future__ import annotations

import io
import json
from dataclasses import replace

from rich.console import Console

from pipeline.evaluate.report import AgentDescription, Report, as_json, print_report
from pipeline.evaluate.results import ScenarioResult
from pipeline.evaluate.scenario import PROTOCOL
from pipeline.types import Estimate

ACTIONS = {"Restore Op_Server0": 12.25, "Sleep": 9.0, "Analyse User2": 8.5, "Monitor": 0.25}
NINE = tuple(
    ScenarioResult(scenario, 1000, Estimate(-(2.0**-10), 0.5), 15.8, Estimate(0.875, 0.25), ACTIONS)
    for scenario in PROTOCOL
)
POLICY = AgentDescription(
    name="policy",
    run="logs/[red]x",
    workflow_id=3,
    workflow_order="user -> defender",
    chosen="as asked for",
    actions="greedy",
    num_updates=40,
    num_episodes=1280,
    trained_against="B_lineAgent",
    trained_on="head",
    trained_steps=50,
)
REPORT = Report(POLICY, "fast", "head", "csle-cyborg 0.0.3", "0.1.0", 7, 1000, NINE)
BASELINE = replace(
    REPORT,
    agent=AgentDescription("restore"),
    engine="cyborg",
    results=tuple(replace(result, compliance=None) for result in NINE[:1]),
)


def printed(report: Report) -> list[str]:
    console = Console(file=io.StringIO(), width=120, highlight=False, markup=False)
    print_report(report, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # a StringIO


def test_the_table_says_who_played_what() -> None:
    assert printed(REPORT)[:4] == [
        "agent: policy of logs/[red]x, greedy actions",
        "workflow: user -> defender (as asked for)",
        "trained: 1,280 episodes, 40 updates, against B_lineAgent, 50 steps each, profile head",
        "game: profile head, on the fast engine (csle-cyborg 0.0.3's game); 1,000 episodes each, seed 7",
    ]
    assert printed(BASELINE)[:2] == [
        "agent: restore (not the leaderboard's Blue React Restore: docs/evaluation.md)",
        "game: profile head, on csle-cyborg 0.0.3; 1,000 episodes each, seed 7",
    ]


def test_of_the_contest_it_prints_what_the_contests_script_prints() -> None:
    lines = printed(replace(REPORT, agent=AgentDescription("Sleep"), protocol="contest"))
    assert lines[:2] == [
        "agent: Sleep (the contest's own: docs/evaluation.md)",
        "protocol: the contest's script, on one generator from the first step to the last",
    ]
    mean_and_std = "-0.0009765625 with a standard deviation of 15.8"
    assert lines[3:-1] == [
        f"Average reward for red agent {scenario.red_agent} and steps {scenario.num_steps} is: {mean_and_std}"
        for scenario in PROTOCOL
    ]
    assert lines[-1] == "total score: 0.0 ± 1.5 (the sum of the nine means)"


def test_the_table_has_a_row_for_each_scenario() -> None:
    lines = printed(REPORT)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]
    named = [[str(scenario.num_steps), scenario.red_agent] for scenario in PROTOCOL]
    assert [row[:2] for row in rows] == [*named, *named]
    assert rows[9][2] == "Restore Op_Server0 12.2, Sleep 9.0, Analyse User2 8.5"
    assert rows[0] == ["30", "B_lineAgent", "0.00 ± 0.50", "15.80", "0.875 ± 0.250"]
    assert lines[-1] == "total score: 0.0 ± 1.5 (the sum of the nine means)"
    assert any("compliance" in line for line in lines)


def test_a_part_of_the_nine_has_no_score() -> None:
    lines = printed(BASELINE)
    assert lines[-1].startswith("no total score: ")
    assert not any("compliance" in line for line in lines)
    assert as_json(BASELINE)["total_score"] is None


def test_the_json_is_complete_and_valid() -> None:
    assert json.loads(json.dumps(as_json(REPORT), allow_nan=False)) == {
        "agent": {
            "name": "policy",
            "run": "logs/[red]x",
            "workflow_id": 3,
            "workflow_order": "user -> defender",
            "chosen": "as asked for",
            "actions": "greedy",
            "num_updates": 40,
            "num_episodes": 1280,
            "trained_against": "B_lineAgent",
            "trained_on": "head",
            "trained_steps": 50,
        },
        "game": {"engine": "fast", "profile": "head", "cyborg": "csle-cyborg 0.0.3"},
        "version": "0.1.0",
        "protocol": "seeded",
        "seed": 7,
        "episodes": 1000,
        "scenarios": [
            {
                "red_agent": scenario.red_agent,
                "steps": scenario.num_steps,
                "mean": -(2.0**-10),
                "std": 15.8,
                "stderr": 0.5,
                "compliance": {"mean": 0.875, "stderr": 0.25},
                "actions": ACTIONS,
            }
            for scenario in PROTOCOL
        ],
        "total_score": {"mean": -9 * 2.0**-10, "stderr": 1.5},
    }
    baseline = as_json(BASELINE)
    assert baseline["agent"] == {"name": "restore"}
    assert baseline["game"]["engine"] == "cyborg"
    assert baseline["scenarios"][0]["compliance"] is None
