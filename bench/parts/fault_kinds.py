"""The faults that the storm knows: each is caused for real, and then the run is watched until it gets on again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from parts.storm import ROOT, RUN_PY, HangError, Run

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    import psutil

INTERRUPTED = 130
"""Exit code of a run that was asked to stop."""


LOOK_S = 3.0
"""How long to look for a file that is half written."""
NEED_MOUNT = ("disk full", "shared memory full")
"""Kinds that need a file system of their own, which root can mount."""


class NothingToHitError(RuntimeError):
    """The fault can't be caused now, and counts for nothing: the run has no such part, or has just ended."""


class UnknownKindError(ValueError):
    """There is no such kind of fault."""

    def __init__(self, kind: str, kinds: Iterable[str]) -> None:
        super().__init__(f"{kind!r} is none of: {', '.join(kinds)}")


class Weather:
    """Causes faults to a run."""

    def __init__(self, rng: random.Random, disk: Path | None, left_out: Collection[str] = ()) -> None:
        """Prepare to cause faults.

        Args:
            rng: Chooses.
            disk: A small file system of its own that runs are written to, or None.
            left_out: Kinds that are not to be caused.

        Raises:
            UnknownKindError: One of these is none.
        """
        self._rng = rng
        self._disk = disk
        self.kinds: dict[str, tuple[Callable[[Run], float | None], int]] = {
            "worker killed": (lambda run: self._hit_worker(run, signal.SIGKILL), 20),
            "worker crashed (SIGSEGV)": (lambda run: self._hit_worker(run, signal.SIGSEGV), 14),
            "worker aborted": (lambda run: self._hit_worker(run, signal.SIGABRT), 10),
            "worker terminated": (lambda run: self._hit_worker(run, signal.SIGTERM), 10),
            "all workers killed": (self._kill_all_workers, 12),
            "worker stopped (hangs)": (lambda run: self._hit_worker(run, signal.SIGSTOP), 1),
            "forkserver killed": (self._kill_forkserver, 8),
            "resource tracker killed": (self._kill_tracker, 3),
            "parent killed": (self._kill_parent, 4),
            "parent killed at a checkpoint": (self._kill_parent_at_checkpoint, 4),
            "parent killed, resource tracker too": (self._kill_parent_and_tracker, 2),
            "SIGTERM": (lambda run: self._ask_to_stop(run, signal.SIGTERM), 2),
            "SIGHUP": (lambda run: self._ask_to_stop(run, signal.SIGHUP), 2),
            "Ctrl-C twice": (lambda run: self._ask_to_stop(run, signal.SIGINT, signal.SIGINT), 2),
            "resumed while alive": (self._resume_while_alive, 1),
            "checkpoint damaged": (self._damage_checkpoint, 2),
        }
        self.kinds["disk full"] = (self._fill_disk, 2)
        self.kinds["shared memory full"] = (self._start_without_shared_memory, 2)
        for kind in left_out:
            if kind not in self.kinds:
                raise UnknownKindError(kind, self.kinds)
        self.left_out = [kind for kind in self.kinds if kind in left_out or (disk is None and kind in NEED_MOUNT)]
        for kind in self.left_out:
            del self.kinds[kind]

    def strike(self, run: Run) -> tuple[str, float | None] | None:
        """Cause a fault.

        Returns:
            Its kind, and the seconds until the next update, or None if the run ended before it. None if the run ended
            by itself before anything could be done to it.
        """
        names = list(self.kinds)
        while run.is_alive:
            kind = self._rng.choices(names, [self.kinds[name][1] for name in names])[0]
            with contextlib.suppress(NothingToHitError):
                return kind, self.kinds[kind][0](run)
        return None

    def speed(self) -> list[str]:
        """Return options that results don't depend on, drawn anew for each start."""
        # without workers there is little to hit, and all of it takes long
        method = self._rng.choice(["executor"] * 6 + ["synchronous"] * 2 + ["sequential"])
        options = [f"--collector={method}", f"--workers={self._rng.randint(1, 4)}"]
        if method == "executor":
            options.append(f"--transport={self._rng.choice(['shm', 'shm', 'pickle'])}")
        return [*options, f"--engine={self._rng.choice(['fast', 'fast', 'cyborg'])}"]

    def _hit_worker(self, run: Run, number: signal.Signals) -> float | None:
        workers = run.workers()
        return _hit(run, [self._rng.choice(workers)] if workers else [], number)

    def _kill_all_workers(self, run: Run) -> float | None:
        return _hit(run, run.workers(), signal.SIGKILL)

    def _kill_forkserver(self, run: Run) -> float | None:
        return _hit(run, [server] if (server := run.forkserver()) else [], signal.SIGKILL)

    def _kill_tracker(self, run: Run) -> float | None:
        return _hit(run, [tracker] if (tracker := run.tracker()) else [], signal.SIGKILL)

    def _kill_parent(self, run: Run) -> float | None:
        since_s = time.time()
        _kill(run)
        return self._go_on(run, since_s)

    def _kill_parent_at_checkpoint(self, run: Run) -> float | None:
        def is_writing() -> bool:
            with contextlib.suppress(OSError):
                return any((run.folder / "checkpoint").glob(".*.tmp"))
            return False

        end_s = time.monotonic() + LOOK_S
        while run.is_alive and not is_writing():
            if time.monotonic() > end_s:
                raise NothingToHitError  # it writes faster than this process looks
        return self._kill_parent(run)

    def _kill_parent_and_tracker(self, run: Run) -> float | None:
        if (tracker := run.tracker()) is None:
            raise NothingToHitError
        with contextlib.suppress(ProcessLookupError):
            os.kill(tracker.pid, signal.SIGKILL)
        return self._kill_parent(run)

    def _ask_to_stop(self, run: Run, *numbers: signal.Signals) -> float | None:
        since_s = time.time()
        for number in numbers:
            run.signal(number)
        code, err = run.ended()
        if code == 0:
            raise NothingToHitError  # it was over before
        # before its handlers are there, a signal ends a process as it ends any
        _require(code in {INTERRUPTED, *(-number for number in numbers)}, f"exit code {code} after {numbers}", err)
        return self._go_on(run, since_s)

    def _resume_while_alive(self, run: Run) -> float | None:
        since_s = time.time()
        if not (run.folder / "config.json").exists():
            raise NothingToHitError  # nor is there anything to resume
        code, err = _resume(run)
        if not run.is_alive:
            raise NothingToHitError  # it may have ended before
        _require(code != 0 and "Traceback" not in err, "a living run was resumed", err)
        return run.wait_for_update(since_s)

    def _damage_checkpoint(self, run: Run) -> float | None:
        """Stop the run, damage a file of its checkpoint: it must be refused. Then the file is put back."""
        if not (run.folder / "checkpoint" / "manifest.json").exists():
            raise NothingToHitError
        since_s = time.time()
        _kill(run)
        file = self._rng.choice(self._files_in_use(run))
        whole = file.read_bytes()
        file.write_bytes(self._damaged(whole))
        code, err = _resume(run)
        file.write_bytes(whole)
        _require(code != 0 and "Traceback" not in err, f"a damaged {file.name} was taken", err)
        return self._go_on(run, since_s)

    def _files_in_use(self, run: Run) -> list[Path]:
        """Return a checkpoint's files, without one that its manifest doesn't name yet, or no longer."""
        manifest = run.folder / "checkpoint" / "manifest.json"
        named = manifest.read_text()
        return [manifest, *sorted(file for file in manifest.parent.glob("*.safetensors") if file.name in named)]

    def _damaged(self, content: bytes) -> bytes:
        position = self._rng.randrange(len(content))
        if self._rng.random() < 0.5:
            return content[:position]
        return content[:position] + bytes([content[position] ^ (1 << self._rng.randrange(8))]) + content[position + 1 :]

    def _fill_disk(self, run: Run) -> float | None:
        assert self._disk is not None, "there is one"  # noqa: S101
        since_s = time.time()
        filler = self._disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12))
        code, err = run.ended()
        filler.unlink()
        if code == 0:
            raise NothingToHitError  # it had written all that it had to
        _require("Traceback" not in err, f"a full disk ended in a traceback, exit code {code}", err)
        return self._go_on(run, since_s)

    def _start_without_shared_memory(self, run: Run) -> float | None:
        """Stop the run, and resume it where there is next to no shared memory: it must say so."""
        if not (run.folder / "config.json").exists():
            raise NothingToHitError  # nor is there anything to resume
        since_s = time.time()
        _kill(run)
        mount = 'mount -t tmpfs -o size=64k none /dev/shm && exec "$@"'
        code, err = _resume(run, "unshare", "--mount", "sh", "-c", mount, "sh")
        _require(code != 0 and "Traceback" not in err and "shared memory" in err, "64 KiB were enough", err)
        return self._go_on(run, since_s)

    def _go_on(self, run: Run, since_s: float) -> float | None:
        if is_finished(run):
            return None
        if not (run.folder / "checkpoint" / "manifest.json").exists():
            shutil.rmtree(run.folder, ignore_errors=True)  # it was hit before its first checkpoint
        run.start(self.speed())
        return run.wait_for_update(since_s)


def is_finished(run: Run) -> bool:
    """Whether a run used its budget."""
    with contextlib.suppress(OSError, ValueError):
        return bool(json.loads((run.folder / "summary.json").read_text())["reason"] == "budget")
    return False


def _hit(run: Run, targets: Sequence[psutil.Process], number: signal.Signals) -> float | None:
    since_s = time.time()
    num_hit = 0
    for target in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(target.pid, number)
            num_hit += 1
    if not num_hit:
        raise NothingToHitError
    return run.wait_for_update(since_s)


def _kill(run: Run) -> None:
    run.signal(signal.SIGKILL)
    code, _ = run.ended()
    if code != -signal.SIGKILL:
        raise NothingToHitError  # it ended by itself before


def _resume(run: Run, *before: str) -> tuple[int, str]:
    command = [*before, sys.executable, str(RUN_PY), "resume", str(run.folder), "--quiet"]
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        raise HangError("a resume that had to be refused didn't end") from None
    return result.returncode, result.stderr


def _require(condition: bool, what: str, err: str) -> None:
    if not condition:
        raise RuntimeError(f"{what}:\n{err}")
