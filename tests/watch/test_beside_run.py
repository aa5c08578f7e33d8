from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_a_run_tells_its_page_which_ends_with_it(tmp_path: Path) -> None:
    options = ["--workers=1", "--total-episodes=64", "--finals-share=0", "--evaluation-episodes=2"]
    command = [sys.executable, str(ROOT / "run.py"), *options, f"--log-dir={tmp_path}", "--run-name=run"]
    process = subprocess.Popen([*command, "--watch", "--quiet"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        first = process.stderr.readline().strip()
        address = first.removeprefix("note: page: ")
        assert address.endswith("#now/run")
        with httpx.Client(timeout=60) as client:
            assert client.get(address).status_code == 200
            told = client.get(httpx.URL(address).join("/api/runs")).json()
        assert [(row["name"], row["budget"]) for row in told] == [("run", 64)]
        assert process.wait(200) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
