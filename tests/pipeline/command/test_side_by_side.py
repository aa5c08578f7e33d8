from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from pipeline.command import side_by_side
from pipeline.command.options import UsageError
from pipeline.config import Config
from pipeline.experiment.plan import Plan
from pipeline.machine import num_cores

if TYPE_CHECKING:
    from tests.pipeline.conftest import EndedRun

ROOT = Path(__file__).parents[3]


def test_a_run_has_one_worker_and_one_thread_unless_it_is_said() -> None:
    assert side_by_side.speed_of(Config(seed=3)) == {"workers": 1, "learner_threads": 1}
    assert side_by_side.speed_of(Config(workers=3)) == {"workers": 3, "learner_threads": 1}


def test_as_many_at_a_time_as_cores_have_workers_for() -> None:
    assert side_by_side.num_jobs(None, {"workers": 1}) == num_cores()
    assert side_by_side.num_jobs(None, {"workers": 10 * num_cores()}) == 1
    assert side_by_side.num_jobs("7", {"workers": 1}) == 7
    with pytest.raises(UsageError, match="--jobs '0': must be"):
        side_by_side.num_jobs("0", {"workers": 1})


def test_a_run_is_begun_with_all_and_gone_on_with_by_its_folder() -> None:
    (run,) = Plan({"a": {"ppo": {"gamma": 0.9}, "hidden_sizes": [64, 32]}}, 1).runs(Path("logs/x"), {"workers": 1})
    begun = side_by_side.arguments(run, has_begun=False)
    assert begun[:3] == ["train", "--quiet", "--end-with-stdin"]
    assert set(begun[3:]) == {
        *("--ppo.gamma=0.9", "--hidden-sizes=64,32", "--workers=1"),
        *("--seed=0", "--log-dir=logs/x", "--run-name=a-seed0"),
    }
    assert side_by_side.arguments(run, has_begun=True) == [
        *("resume", "--quiet", "--end-with-stdin", "--workers=1", "logs/x/a-seed0")
    ]


def test_code_that_attacks_is_named_again() -> None:
    (run,) = Plan({"a": {"red_agent": "my_red.py:Mine"}}, 1).runs(Path("x"), {})
    assert "--red-agent=my_red.py:Mine" in side_by_side.arguments(run, has_begun=True)


def test_a_page_is_there_if_it_is_asked_for(
    ended_run: EndedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(2):
        ended_run(f"a-seed{seed}", -14.0, seed=seed)
    with side_by_side.page(Namespace(watch=False), tmp_path):
        assert capsys.readouterr().err == ""
    with side_by_side.page(Namespace(watch=True), tmp_path):
        address = httpx.URL(capsys.readouterr().err.removeprefix("note: page: ").strip())
        assert address.fragment == "compare/*"
        with httpx.Client(timeout=60, follow_redirects=True) as client:
            client.get(address)
            runs = client.get(address.copy_with(path="/api/runs", query=None)).json()
    assert [run["name"] for run in runs] == ["a-seed0", "a-seed1"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def test_an_experiment_tells_its_page(ended_run: EndedRun, tmp_path: Path) -> None:
    """All has ended, so that nothing is trained."""
    ended_run("base-seed0", -14.0, log_dir=tmp_path / "x", total_episodes=64)
    (tmp_path / "x" / "experiment.toml").write_text(
        "seeds = 1\nstop_hopeless = false\n[variants.base]\ntotal_episodes = 64\n"
    )
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "experiment", str(tmp_path / "x"), "--watch"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("note: page: http://127.0.0.1:")
