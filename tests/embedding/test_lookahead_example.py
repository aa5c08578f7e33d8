"""The example that searches, run as it is, for an episode."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "lookahead.py"


def test_looking_ahead_is_better_than_not(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("lookahead", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    ahead, alone = example.main(episodes=1, futures=4, steps=20)
    assert alone < ahead < 0
    assert f"mean: look-ahead {ahead:.1f}, restore {alone:.1f}" in capsys.readouterr().out


def test_it_is_short() -> None:
    code = [line for line in EXAMPLE.read_text().split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 40
