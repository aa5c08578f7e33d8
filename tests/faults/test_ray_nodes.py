"""Machines that come and go in mid-run, and the end of the one that the run is on.

```
 bridge --+-- namespace, 10.213.7.1: head of the cluster, and the run
          +-- namespace, 10.213.7.2: a node that joins in mid-run, and is killed in mid-run
```
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import DigestOf

pytest.importorskip("ray", reason="an extra: pip install '.[ray]'")

ROOT = Path(__file__).parents[2]
# long enough that there is something left when the node is killed
RUN: dict[str, Any] = {"total_episodes": 720, "max_episodes_per_workflow": 360, "episodes_per_update": 12, "seed": 3}
NUM_TASKS_ALONE = 20
"""After which the run waits for the second node, however long that takes to start."""
RAY_START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", "--num-cpus=1"]
TIMEOUT_S = 60

HOST_PROGRAM = f"""
import asyncio, json, sys
from pathlib import Path
from pipeline import Config, Pipeline
from pipeline.collect.ray.collector import RayCollector

num_tasks = 0
play = RayCollector.play

async def play_and_tell(self, slots):
    global num_tasks
    num_tasks += 1
    while num_tasks > {NUM_TASKS_ALONE} and self.num_alive < 2 and not self.num_rebuilds:
        await asyncio.sleep(0.01)
    await play(self, slots)
    pid = int(self._ring.header(slots[0])["worker_pid"])
    print(json.dumps({{"pid": pid, "num_alive": self.num_alive}}), flush=True)

async def main():
    RayCollector.play = play_and_tell
    config = Config(**{RUN!r}, workers=2, collector="ray", ray_address=sys.argv[1], log_dir=Path(sys.argv[2]))
    async with Pipeline(config) as pipeline:
        digest = (await pipeline.run()).digest
    statistics = pipeline.statistics()
    print(json.dumps({{"digest": digest, "num_rebuilds": statistics.num_rebuilds,
                       "num_lost": statistics.collection.num_lost}}))

if __name__ == "__main__":
    asyncio.run(main())
"""


@dataclass(frozen=True)
class Machine:
    """What is put before a command to run it there, and where others reach it."""

    prefix: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class Network:
    """Two machines, and what Ray is told on both."""

    head: Machine
    other: Machine
    port: int
    folder: Path
    environment: dict[str, str]

    @property
    def cluster(self) -> str:
        return f"{self.head.address}:{self.port}"

    def start(self, machine: Machine) -> subprocess.Popen[str]:
        """Make a machine a node, and wait until it is one."""
        where = ["--head", f"--port={self.port}", "--include-dashboard=false"]
        node = subprocess.Popen(
            [
                *(*machine.prefix, *RAY_START, f"--node-ip-address={machine.address}", f"--temp-dir={self.folder}"),
                *(where if machine is self.head else [f"--address={self.cluster}"]),
            ],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert node.stdout is not None
        seen = []
        for line in node.stdout:
            seen.append(line)
            if "Ray runtime started" in line:
                return node
        pytest.fail("".join(seen))


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)  # noqa: S607  # wherever it is


@contextlib.contextmanager
def machines() -> Iterator[tuple[Machine, Machine]]:
    """Two network namespaces on a bridge; where they can't be had, this machine twice."""
    name = f"c2p{os.getpid()}"
    names = [f"{name}n1", f"{name}n2"]
    with contextlib.ExitStack() as stack:
        try:
            ip("link", "add", name, "type", "bridge")
            stack.callback(ip, "link", "del", name)
            ip("link", "set", name, "up")
            for number, namespace in enumerate(names, 1):
                ip("netns", "add", namespace)
                stack.callback(ip, "netns", "del", namespace)
                ip("link", "add", f"{name}v{number}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
                ip("link", "set", f"{name}v{number}", "master", name, "up")
                ip("-n", namespace, "addr", "add", f"10.213.7.{number}/24", "dev", "eth0")
                ip("-n", namespace, "link", "set", "eth0", "up")
                ip("-n", namespace, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError):  # no `ip`, no root, or a kernel without
            stack.close()
            import ray

            here = Machine((), ray.util.get_node_ip_address())
            yield here, Machine((), here.address)
            return
        yield (
            Machine(("ip", "netns", "exec", names[0]), "10.213.7.1"),
            Machine(("ip", "netns", "exec", names[1]), "10.213.7.2"),
        )


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that came of it, at once."""
    members = family(process)
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait(TIMEOUT_S)
    if process.stdout is not None:
        process.stdout.close()
    assert not psutil.wait_procs(members, timeout=TIMEOUT_S)[1]


@pytest.fixture
def network() -> Iterator[Network]:
    with machines() as (head, other), socket.socket() as free:
        free.bind(("", 0))
        folder = Path(tempfile.mkdtemp(prefix="c2p-ray-", dir="/tmp"))  # sockets need a short path
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        environment = {**os.environ, **token, "NO_COLOR": "1"}
        port = free.getsockname()[1]
        free.close()
        yield Network(head, other, port, folder, environment)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def reference(digest_of: DigestOf) -> str:
    return digest_of(**RUN)


def test_a_node_joins_in_mid_run_and_is_killed_in_mid_run(reference: str, network: Network, tmp_path: Path) -> None:
    (tmp_path / "host.py").write_text(HOST_PROGRAM)
    with contextlib.ExitStack() as stack:
        head = network.start(network.head)
        stack.callback(kill, head)
        run = subprocess.Popen(
            [*network.head.prefix, sys.executable, str(tmp_path / "host.py"), network.cluster, str(tmp_path)],
            cwd=ROOT,
            env=network.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stack.callback(kill, run)
        assert run.stdout is not None
        other: subprocess.Popen[str] | None = None
        played: dict[str, int] = {"head": 0, "other": 0, "after": 0}
        told: dict[str, Any] = {}
        pids_there: set[int] = set()
        killed = False
        for line in run.stdout:
            if not line.startswith("{"):
                continue  # Ray's own word about a death
            told = json.loads(line)
            if "digest" in told:
                break
            if other is None:
                assert told["num_alive"] == 1, "there is no room for the other actor yet"
                played["head"] += 1
                other = network.start(network.other)
                stack.callback(kill, other)
            elif killed:
                played["after"] += 1
            elif told["num_alive"] == 2:
                pids_there = pids_there or {process.pid for process in family(other)}
                played["other"] += told["pid"] in pids_there
                if played["other"] >= 3:
                    kill(other)
                    killed = True
        _, err = run.communicate(timeout=TIMEOUT_S)
        assert told.get("digest") == reference, err
        assert min(played.values()) > 0, played
        assert told["num_rebuilds"] == 1
        assert "Traceback" not in err


def start_run(tmp_path: Path) -> subprocess.Popen[str]:
    """Start a run with a Ray of its own, and wait until it has learned something."""
    options = ["--collector=ray", "--workers=2", "--run-name=run", f"--log-dir={tmp_path}", "--verbose"]
    run = subprocess.Popen(
        [sys.executable, "run.py", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stderr is not None
    if not any("episodes: workflow" in line for line in run.stderr):
        pytest.fail("ended before its first update")
    return run


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_run_and_not_its_actors(number: signal.Signals, tmp_path: Path) -> None:
    run = start_run(tmp_path)
    members = family(run)[1:]
    assert len(members) > 3, "a cluster"
    if number == signal.SIGINT:  # Ctrl-C reaches the whole terminal
        os.killpg(run.pid, number)
    else:
        run.send_signal(number)
    out, err = run.communicate(timeout=TIMEOUT_S)
    assert run.returncode == 130, err
    assert "go on with:" in out
    assert "Traceback" not in err
    assert "***" not in err, "Ray's own handler"
    assert not psutil.wait_procs(members, timeout=TIMEOUT_S)[1]
    assert not [*Path("/tmp").glob(f"c2p-ray-{run.pid}-*")]  # noqa: S108  # where it was


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_that_computes(tmp_path: Path) -> None:
    run = start_run(tmp_path)
    members = family(run)[1:]
    # these two of Ray's own notice at once, but then try for a minute to tell it to the cluster that is gone
    agents = [member for member in members if member.name() in ("ray::DashboardAgent", "ray::RuntimeEnvAgent")]
    run.kill()
    run.communicate(timeout=TIMEOUT_S)
    assert not psutil.wait_procs(set(members) - set(agents), timeout=TIMEOUT_S)[1]
    for agent in agents:
        with contextlib.suppress(psutil.NoSuchProcess):
            agent.kill()
    for folder in Path("/tmp").glob(f"c2p-ray-{run.pid}-*"):  # noqa: S108  # what only its owner could remove
        shutil.rmtree(folder)
