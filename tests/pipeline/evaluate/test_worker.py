from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import sys
from pipeline.evaluate import worker
worker.initialize("c2p-1-1-headers-00000000", 1, sys.argv[1])
print("torch" in sys.modules, "gymnasium" in sys.modules)
try:
    worker.play_in_slot(0, None)
except RuntimeError as error:
    print(error)
"""


def test_a_failure_to_start_is_told_by_the_first_task(tmp_path: Path) -> None:
    """In a process of its own, which it makes a worker: what it prints goes to stderr."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "faults.log")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    assert done.stderr.startswith("False False\nTraceback")
    assert "SegmentMissing" in done.stderr
