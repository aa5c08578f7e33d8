"""A run as the storm sees it: a process that is started, hit, watched, and started again until it has finished."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil

from native_buffers.segment import sweep_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[2]
RUN_PY = ROOT / "run.py"
PATIENCE_S = 180.0
"""What anything may take before it counts as a hang; a stopped worker's deadline is the longest, two minutes."""
GRACE_S = 20.0
"""What a run that is no longer wanted has to clean up by itself."""
POLL_S = 0.005


class HangError(RuntimeError):
    """Something that had to happen didn't."""


@dataclass
class Run:
    """One run in one folder, through all its processes."""

    folder: Path
    options: tuple[str, ...]
    """That results depend on, the same for all runs."""
    process: subprocess.Popen[str] | None = None
    pids: set[int] = field(default_factory=set)
    """All processes that ever belonged to it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End it, if the bench is ended before it, and wait until all that belongs to it is gone."""
        if kind is None or self.process is None:
            return
        self.workers()  # so that they are known
        for number in (signal.SIGTERM, signal.SIGINT):  # the second ends it at once; killed, it leaves temporary files
            self.signal(number)
        try:
            self.process.communicate(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        self.leftovers()
        sweep_stale()  # what its tracker, if that was killed, can't remove

    def start(self, speed: Sequence[str]) -> None:
        """Start it, or go on with it if there is a checkpoint.

        Args:
            speed: Options that results don't depend on.
        """
        if (self.folder / "config.json").exists():
            arguments = ["resume", str(self.folder), *speed]
        else:
            arguments = [*self.options, f"--log-dir={self.folder.parent}", f"--run-name={self.folder.name}", *speed]
        self.process = subprocess.Popen(
            [sys.executable, str(RUN_PY), *arguments, "--quiet"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is for the bench, not for what it hits
        )
        self.pids.add(self.process.pid)

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def ended(self) -> tuple[int, str]:
        """Wait for its process to end; return exit code and what it wrote to stderr."""
        assert self.process is not None, "started"  # noqa: S101
        try:
            _, err = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise HangError(f"run.py didn't end within {PATIENCE_S:.0f} s") from None
        return self.process.returncode, err

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal, if it still runs."""
        assert self.process is not None, "started"  # noqa: S101
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, number)

    def forkserver(self) -> psutil.Process | None:
        """Return the process that starts its workers, or None."""
        return next((each for each in self._children() if "forkserver" in _command(each)), None)

    def tracker(self) -> psutil.Process | None:
        """Return the process that tracks its shared memory, or None."""
        return next((each for each in self._children() if "resource_tracker" in _command(each)), None)

    def workers(self) -> list[psutil.Process]:
        """Return its worker processes."""
        server = self.forkserver()
        with contextlib.suppress(psutil.Error):
            workers = server.children() if server else []
            self.pids.update(worker.pid for worker in workers)
            return workers
        return []

    def last_update_s(self) -> float:
        """Return when its last update was, by the wall clock; 0 if there was none."""
        try:
            with (self.folder / "events.jsonl").open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 20_000))
                lines = file.read().splitlines()
        except OSError:
            return 0.0
        for line in reversed(lines):
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event.get("event") == "update_result":
                    return datetime.fromisoformat(event["timestamp"]).timestamp()
        return 0.0

    def wait_for_update(self, since_s: float) -> float | None:
        """Wait for an update after a moment; return how long it took, or None if the run ended first."""
        wait_until(lambda: not self.is_alive or self.last_update_s() > since_s, "an update after a fault")
        return time.time() - since_s if self.last_update_s() > since_s else None

    def outcome(self) -> dict[str, Any]:
        """Return what it came to, once it has finished: all that must not depend on what happened to it."""
        summary = json.loads((self.folder / "summary.json").read_text())
        manifest = json.loads((self.folder / "checkpoint" / "manifest.json").read_text())
        rows = [line.split(",") for line in (self.folder / "training_log.csv").read_text().splitlines()]
        timed = {rows[0].index(name) for name in ("Collection_Time", "Update_Time")}
        return {
            "digest": summary["digest"],
            "episodes": summary["episodes"],
            "search": manifest["search"],
            "policies": {
                file.name: file.read_bytes() for file in sorted((self.folder / "checkpoint").glob("*.safetensors"))
            },
            "updates": [[cell for index, cell in enumerate(row) if index not in timed] for row in rows],
        }

    def leftovers(self) -> list[str]:
        """Return what it left behind: processes, shared memory and semaphores, files that are not whole."""
        deadline_s = time.monotonic() + 10
        while (alive := [pid for pid in self.pids if _runs(pid)]) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
        segments = [
            path.name
            for path in Path("/dev/shm").glob("*c2p-*")  # noqa: S108  # what is left there is what is asked
            if int(path.name.split("-")[1]) in self.pids
        ]
        temporary = [str(path) for path in self.folder.rglob("*.tmp")]
        return [f"process {pid}" for pid in alive] + segments + temporary

    def _children(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            if self.process is not None:
                children = psutil.Process(self.process.pid).children()
                self.pids.update(child.pid for child in children)
                return children
        return []


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition.

    Raises:
        HangError: It took longer than anything may.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise HangError(f"waited {PATIENCE_S:.0f} s for {what}")
        time.sleep(POLL_S)


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def _runs(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False
