from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

FORBIDDEN = {"torch", "gpytorch", "pydantic", "rich", "structlog", "stable_baselines3"}

REPORT = """
import gc, json, os, sys
{before}
import pipeline.workers.preload
from threadpoolctl import threadpool_info
print(json.dumps({{
    "modules": sorted(sys.modules),
    "num_threads": [pool["num_threads"] for pool in threadpool_info()],
    "threads_variables": {{name: value for name, value in os.environ.items() if name.endswith("_THREADS")}},
    "num_frozen": gc.get_freeze_count(),
}}))
"""


def report(before: str = "") -> dict[str, Any]:
    """Import the module in a fresh interpreter whose environment asks BLAS for three threads."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", REPORT.format(before=before)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_it_imports_what_workers_need_with_one_thread_each() -> None:
    told = report()

    assert {"numpy", "csle_cyborg.main", "pipeline.workers.shared"} <= set(told["modules"])
    assert FORBIDDEN.isdisjoint(told["modules"])
    assert told["num_threads"]
    assert set(told["num_threads"]) == {1}
    assert set(told["threads_variables"].values()) == {"1"}
    assert told["num_frozen"] > 10_000  # objects


def test_a_missing_game_is_left_to_the_worker_that_needs_it() -> None:
    told = report("sys.modules['csle_cyborg'] = None")

    assert "pipeline.workers.shared" in told["modules"]
    assert "csle_cyborg.main" not in told["modules"]
