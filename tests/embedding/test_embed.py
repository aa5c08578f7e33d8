"""The example that embeds the pipeline, run as it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed.py"


async def test_the_example_trains_beside_its_heartbeat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("embed", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    digest = await example.main(tmp_path, total_episodes=64)
    assert len(digest) == 64
    out = capsys.readouterr().out
    assert "    64 episodes" in out
    assert "heartbeats meanwhile" in out
