from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.evaluate.scenario import Scenario
from pipeline.persist.files import read_json
from pipeline.report.errors import ReportError
from pipeline.report.facts import gather, num_played
from tests.pipeline.report.conftest import NUM_EPISODES

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.report.facts import Facts


def test_what_was_found_is_what_the_run_said_at_its_end(facts: Facts, trained_run: Path) -> None:
    summary = read_json(trained_run / "summary.json")
    assert facts.digest == summary["digest"]
    assert facts.found.best_workflow == summary["best_workflow"]
    assert (facts.state, facts.episodes, facts.updates) == ("finished", 96, summary["updates"])


def test_the_two_episodes_are_the_worst_and_the_median_one(facts: Facts) -> None:
    assert facts.defender is not None
    game = Scenario(RED_AGENTS[0], 100)
    (result,) = (each for each in facts.defender.results if each.scenario == game)
    assert facts.defender.worst.total_reward <= result.env_reward.mean
    assert facts.defender.worst.total_reward <= facts.defender.typical.total_reward


def test_progress_counts_every_episode(trained_run: Path) -> None:
    told: list[int] = []
    gather(trained_run, 2, told.append)
    assert sum(told) == num_played(2)


def test_a_run_that_broke_off_has_a_report_and_says_so(trained_run: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(trained_run, broken)
    (broken / "summary.json").unlink()
    lines = (broken / "events.jsonl").read_text().splitlines(keepends=True)
    (broken / "events.jsonl").write_text("".join(line for line in lines if "run_finished" not in line))
    facts = gather(broken, 2)
    assert facts.state == "crashed"
    assert facts.digest is None
    assert facts.defender is not None
    assert len(facts.visits) > 0


def test_a_run_without_a_policy_has_a_report(trained_run: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_run, tmp_path / "young")
    shutil.rmtree(tmp_path / "young" / "checkpoint")
    facts = gather(tmp_path / "young", NUM_EPISODES)
    assert facts.defender is None
    assert "no checkpoint yet" in facts.no_defender


def test_a_folder_that_is_damaged_has_none(trained_run: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_run, tmp_path / "damaged")
    (tmp_path / "damaged" / "config.json").write_text("{")
    with pytest.raises(ReportError, match="no report of"):
        gather(tmp_path / "damaged", NUM_EPISODES)
