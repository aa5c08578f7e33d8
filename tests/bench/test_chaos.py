"""A short storm: faults are caused for real, and nothing comes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CHAOS = Path(__file__).parents[2] / "bench" / "chaos.py"


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHAOS), *arguments],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # whoever runs the tests in a shell's background has Ctrl-C ignored, and all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


SLOW_KIND = "worker stopped (hangs)"
"""It takes minutes to be noticed, if it comes before the first episode."""


@pytest.mark.timeout(400)
def test_a_short_storm(tmp_path: Path) -> None:
    process = start(tmp_path, "--minutes=0.01", "--seed=1", "--episodes=96", f"--leave-out={SLOW_KIND}", "--json")
    out, err = process.communicate(timeout=390)  # half a minute, unless the machine has much else to do
    assert process.returncode == 0, err
    report = json.loads(out)
    assert report["runs"] == 1
    assert report["faults"] == sum(report["faults_by_kind"].values()) > 0
    assert report["bits_differ"] == 0
    assert report["episodes_lost"] == 0
    assert report["left_behind"] == []
    assert {SLOW_KIND} <= set(report["left_out"]) <= {SLOW_KIND, "disk full", "shared memory full"}
    assert not list(tmp_path.glob("cage2-chaos-*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_ended_early_it_leaves_nothing(number: signal.Signals, code: int, tmp_path: Path) -> None:
    process = start(tmp_path, "--minutes=10")
    end_s = time.monotonic() + 60
    while not list(tmp_path.glob("*/**/events.jsonl")):
        assert time.monotonic() < end_s
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not list(tmp_path.glob("cage2-chaos-*"))  # torch and multiprocessing have folders of their own there
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    for child in children:
        assert not list(Path("/dev/shm").glob(f"c2p-{child.pid}-*"))  # noqa: S108  # what is left there is the test


@pytest.mark.parametrize("wrong", ["--minutes=0", "--episodes=95", "--leave-out=sunshine"])
def test_a_mistake_is_told(wrong: str, tmp_path: Path) -> None:
    process = start(tmp_path, wrong)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "must be" in err or "'sunshine' is none of: worker killed, " in err
