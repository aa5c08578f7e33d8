"""What `make run` does, with a small budget."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)  # four commands, of which a report takes the longest
def test_first_contact_leads_from_training_to_a_report(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", examples, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run.py", tmp_path)
    small = tmp_path / "small.toml"
    small.write_text(
        (examples / "first.toml").read_text().replace("total_episodes = 20000", "total_episodes = 192")
        + "evaluation_episodes = 20\ncompliance_threshold = 0.0\n"
    )
    env = os.environ | {"PYTHON": sys.executable, "CONFIG": str(small), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["/bin/sh", str(examples / "first.sh")], capture_output=True, text=True, check=False, env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (run_dir,) = (tmp_path / "logs").iterdir()
    assert done.stdout.count("on CybORG and on the engine: the same, to the bit") == 2  # against each attacker
    assert "total score: " in done.stdout
    assert (run_dir / "report.html").stat().st_size > 100_000
    to_try = re.findall(rf"^  {re.escape(sys.executable)} run.py (.*)$", done.stdout, re.MULTILINE)
    assert to_try[0] == f"replay logs/{run_dir.name} --worst-of 1000"
    assert len(to_try) == 3
