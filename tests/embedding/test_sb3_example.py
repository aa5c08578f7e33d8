"""The example that trains Stable-Baselines3's PPO, run as it is, for a few thousand steps."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "sb3_ppo.py"


def test_the_example_trains(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("sb3_ppo", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    mean = example.main(total_timesteps=3200, num_envs=16)
    assert mean < 0
    out = capsys.readouterr().out
    assert re.search(r"total_timesteps +\| 3200 ", out)
    assert f"mean return {mean:.1f}" in out


def test_it_is_short() -> None:
    code = [line for line in EXAMPLE.read_text().split('"""')[2].splitlines() if line.strip()]
    assert len(code) <= 20
