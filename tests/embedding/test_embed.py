"""Programs that embed the pipeline: the example, run as it is, and one that can't be imported again."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "embed.py"
FROM_STANDARD_INPUT = """
import asyncio, sys
from pathlib import Path
from pipeline import Config, Pipeline

async def main():
    size = dict(total_episodes=24, episodes_per_update=12, evaluation_episodes=4)
    config = Config(**size, workers=2, log_dir=Path(sys.argv[1]))
    async with Pipeline(config) as pipeline:
        print((await pipeline.run()).episodes)

asyncio.run(main())
"""


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


def test_a_program_from_standard_input_trains(tmp_path: Path) -> None:
    """As in job scripts: `python - <<EOF`."""
    done = subprocess.run(
        [sys.executable, "-", str(tmp_path)],
        input=FROM_STANDARD_INPUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (0, "24\n"), done.stderr
