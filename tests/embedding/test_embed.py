"""Programs that embed the pipeline: the example, run as it is, and one that can't be imported again."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Jupyter's own
def test_a_notebook_trains_in_its_own_loop(tmp_path: Path) -> None:
    """With `await` at top level: cells run in the loop of a real kernel."""
    cells = [
        "from pathlib import Path\nfrom pipeline import Config, Pipeline",
        "size = dict(total_episodes=24, episodes_per_update=12, evaluation_episodes=4)",
        f"config = Config(**size, workers=2, log_dir=Path({str(tmp_path)!r}))",
        "async with Pipeline(config) as pipeline:\n    finished = await pipeline.run()",
        "finished.episodes",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=100, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    (result,) = notebook.cells[-1].outputs
    assert result.data["text/plain"] == "24"


def a_stranger() -> None:
    """Be a user whom the system doesn't know."""
    os.setgid(54321)
    os.setuid(54321)


@pytest.mark.parametrize("become", [None, a_stranger], ids=["this user", "a stranger"])
def test_a_program_without_a_home_trains(become: Callable[[], None] | None, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    places = {name: value for name, value in os.environ.items() if name not in {"HOME", "XDG_CACHE_HOME", "USER"}}
    try:
        subprocess.run([sys.executable, "-c", ""], check=True, preexec_fn=become)
    except (subprocess.SubprocessError, PermissionError):
        pytest.skip("only root may become another user, whom this Python has to be open to")
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "--total-episodes=24", "--evaluation-episodes=4", "--workers=2"],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        cwd=tmp_path,
        env={**places, "TMPDIR": str(tmp_path)},
        preexec_fn=become,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


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
