from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from pipeline.evaluate import worker
worker.initialize("c2p-1-1-headers-00000000", 1)
try:
    worker.play_in_slot(0, None)
except RuntimeError as error:
    print(error)
"""


def test_a_failure_to_start_is_told_by_the_first_task() -> None:
    """In a process of its own, which it makes a worker."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    assert "Traceback" in done.stdout
    assert "SegmentMissing" in done.stdout
