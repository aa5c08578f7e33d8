"""The example that trains Stable-Baselines3's PPO, run as it is, for a few thousand steps."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "sb3_ppo.py"


def test_the_example_trains(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("sb3_ppo", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    model = tmp_path / "ppo.zip"
    mean = example.main(total_timesteps=3200, num_envs=16, save=str(model))
    assert mean < 0
    out = capsys.readouterr().out
    assert re.search(r"total_timesteps +\| 3200 ", out)
    assert f"mean return {mean:.1f}" in out
    assert example.PPO.load(model).num_timesteps == 3200


def test_it_is_short() -> None:
    code = "".join(EXAMPLE.read_text().split('"""')[::2])  # without docstrings
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
