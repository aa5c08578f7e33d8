from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.command.cli import main
from pipeline.command.process import FAILED, OK, USAGE
from pipeline.evaluate import chosen

if TYPE_CHECKING:
    from pipeline.evaluate.chosen import Chosen
    from tests.pipeline.conftest import MakeRun


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "the following arguments are required: AGENT"),
        ("nowhere", "there is no run 'nowhere'"),
        ("sleep --episodes 0", "--episodes '0': must be a whole number from 1"),
        ("sleep --steps x", "--steps 'x': must be a whole number from 1"),
        ("sleep --engine fast", "unknown option --engine"),
        ("examples/my_agent.py:Agent", "verify is for runs and built-in agents"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("verify", *arguments.split())) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {told}")
    assert err.count("\n") == 1


def test_a_run_is_the_same_on_both_against_each_of_its_attackers(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = make_run({7: 10}, 7, red_agent="Mixed")
    assert main(("verify", str(run_dir), "--episodes", "2", "--steps", "20")) == OK
    out, err = capsys.readouterr()
    told = "on CybORG and on the engine: the same, to the bit\n"
    assert out == "".join(
        f"2 episodes of 20 steps against {red_agent}, {told}" for red_agent in ("B_lineAgent", "RedMeanderAgent")
    )
    assert err == ""


def test_a_difference_is_told_and_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    compared = chosen.compared

    def other_games(config: Any, num_steps: int | None, indices: range) -> Chosen:
        found = compared(config, num_steps, indices)
        return found if config.engine == "fast" else replace(found, indices=range(1, 1 + len(indices)))

    monkeypatch.setattr(chosen, "compared", other_games)
    assert main(("verify", "random", "--episodes", "3", "--steps", "5")) == FAILED
    out, err = capsys.readouterr()
    assert out == "3 episodes of 5 steps against B_lineAgent, on CybORG and on the engine: 3 differ\n"
    assert len(err.splitlines()) == 3
    assert err.startswith("episode 0 differs at steps[0]")
    assert " on CybORG, " in err


def test_the_contest_s_own_game_is_none_of_cyborg_s(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = make_run({7: 10}, 7, profile="leaderboard")
    assert main(("verify", str(run_dir))) == USAGE
    assert "CybORG plays profile head only" in capsys.readouterr().err
