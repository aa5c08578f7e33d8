"""An experiment's runs, side by side, each in a process of its own.

```
this process                                 a run's process, one of --jobs at a time
  stdin: a pipe, never written to  ------->    run.py train | resume ... --end-with-stdin
  closes it, or is gone            ------->    ends after the update in progress, with a checkpoint
  exit code, last words on stderr  <-------    0 ended, 130 stopped, else it failed
```

What a run comes to is read from its folder, and what is left to do as well: nothing else is kept. So an experiment that
was stopped or killed is gone on with by looking at its runs' folders.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.errors import PipelineError
from pipeline.experiment.errors import ExperimentError
from pipeline.experiment.hopeless import hopeless, stages
from pipeline.experiment.outcome import outcome_of
from pipeline.persist.runs import INITIAL, RunFolder, RunFolderError
from pipeline.printable import shown
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from pipeline.experiment.outcome import Outcome
    from pipeline.experiment.plan import PlannedRun

FREE_WITHIN_S: Final = 60.0
"""That a run's process, whose experiment was killed, has to end."""
NOTED: Final = frozenset(("init_sha256", "red_sha256"))
"""What a run adds to its configuration as it starts; it looks at that itself when it goes on."""
_LOOK_S: Final = 0.1
_LAST_WORDS_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run has ended, now or in an earlier process."""

    run: PlannedRun
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run has failed; the others go on."""

    run: PlannedRun
    why: str


@dataclass(frozen=True, slots=True)
class VariantStopped:
    """A variant gets no more seeds."""

    variant: str
    num_seeds: int
    """That it has had."""
    why: str = "hopeless"


Event = RunEnded | RunFailed | VariantStopped


class Runner:
    """Runs what is left of an experiment.

    Args:
        runs: All of it, seed by seed.
        stop_hopeless: Whether variants are stopped that are `hopeless`.
        arguments: Returns the command line's arguments that begin a run, or go on with one.
        note: Called with what happens.
    """

    def __init__(
        self,
        runs: Iterable[PlannedRun],
        *,
        stop_hopeless: bool,
        arguments: Callable[[PlannedRun, bool], Sequence[str]],
        note: Callable[[Event], None],
    ) -> None:
        self._runs = list(runs)
        self._stop_hopeless = stop_hopeless
        self._arguments = arguments
        self._note = note
        self._processes: set[asyncio.subprocess.Process] = set()
        self._num_stops = 0
        self.outcomes: dict[Path, Outcome] = {}
        """Of the runs that have ended."""
        self.failures: list[RunFailed] = []

    @property
    def is_stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._num_stops > 0

    def stop(self) -> None:
        """End all runs after the update in progress; called again, at once; a third time, without a last word."""
        self._num_stops += 1
        for process in self._processes:
            self._tell_to_end(process)

    async def run(self, num_jobs: int) -> None:
        """Run what is left, `num_jobs` at a time, until all has ended, failed or been stopped."""
        variants = list(dict.fromkeys(run.variant for run in self._runs))
        by_seed = [self._runs[i : i + len(variants)] for i in range(0, len(self._runs), len(variants))]
        ends = stages(len(by_seed)) if self._stop_hopeless else [len(by_seed)]
        for begin, end in pairwise([0, *ends]):
            waiting = iter([run for seed in by_seed[begin:end] for run in seed if run.variant in variants])
            async with asyncio.TaskGroup() as tasks:
                for _ in range(num_jobs):
                    tasks.create_task(self._take(waiting))
            if self.is_stopped or end == len(by_seed):
                return
            if self.failures:  # who is hopeless is not to depend on what failed
                return
            variants = self._without_hopeless(variants, by_seed[:end])

    def _without_hopeless(self, variants: list[str], by_seed: list[list[PlannedRun]]) -> list[str]:
        returns = {
            name: np.array(
                [self.outcomes[run.run_dir].greedy for seed in by_seed for run in seed if run.variant == name]
            )
            for name in variants
        }
        stopped = hopeless(returns)
        for name in stopped:
            self._note(VariantStopped(name, len(by_seed)))
        return [name for name in variants if name not in stopped]

    async def _take(self, waiting: Iterable[PlannedRun]) -> None:
        for run in waiting:
            if self.is_stopped:
                return
            try:
                outcome = await self._ended(run)
            except (PipelineError, OSError) as error:
                if self.is_stopped:  # it is tried again when the experiment goes on
                    return
                self.failures.append(RunFailed(run, str(error)))
                self._note(self.failures[-1])
                continue
            if outcome is not None:
                self.outcomes[run.run_dir] = outcome
                self._note(RunEnded(run, outcome))

    async def _ended(self, run: PlannedRun) -> Outcome | None:
        """Return what came of a run, once it has ended; None if it was stopped.

        Raises:
            ExperimentError: It failed.
            RunFolderError: Another process has it, and doesn't end.
        """
        has_begun = await asyncio.to_thread(run.run_dir.exists) and await self._taken_over(run.run_dir)
        if has_begun:
            outcome = await asyncio.to_thread(outcome_of, run.run_dir)
            _require_planned(run, outcome)
            if outcome.has_ended:
                return outcome
        why = await self._in_a_process(self._arguments(run, has_begun))
        if why is None:
            return None
        if why:
            raise ExperimentError(why)
        outcome = await asyncio.to_thread(outcome_of, run.run_dir)
        if not outcome.has_ended:
            raise ExperimentError(f"its process is done, but it hasn't ended: {outcome.why}")
        return outcome

    async def _taken_over(self, run_dir: Path) -> bool:
        """Wait until no process has a run's folder; return whether there is a run in it, and clean up if there isn't.

        Raises:
            RunFolderError: A process has it, and doesn't end.
            ExperimentError: Something else is in it.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + FREE_WITHIN_S
        while True:
            try:
                RunFolder(run_dir).close()
                break
            except RunFolderError:
                if self.is_stopped or loop.time() > deadline_s:
                    raise
                await asyncio.sleep(_LOOK_S)
        return await asyncio.to_thread(_has_run, run_dir)

    async def _in_a_process(self, arguments: Sequence[str]) -> str | None:
        """Run a command line; return why it failed, nothing if it hasn't, or None if it was stopped."""
        with tempfile.TemporaryFile() as words:  # no pipe: who writes to one that nobody reads any more is hurt
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "pipeline.command.cli",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=words,
                start_new_session=True,  # Ctrl-C at the terminal is for the experiment
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
            self._processes.add(process)
            try:
                if self.is_stopped:  # while it was started
                    self._tell_to_end(process)
                code = await process.wait()
            finally:
                self._processes.discard(process)
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            if code == 0:
                return ""
            if self.is_stopped:
                return None
            words.seek(0, os.SEEK_END)
            words.seek(max(0, words.tell() - _LAST_WORDS_BYTES))
            lines = words.read().decode(errors="replace").strip().splitlines()
        last = next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1] if lines else "")
        return f"exit code {code}: {last.removeprefix('error: ') or 'it said nothing'}"

    def _tell_to_end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._num_stops == 1:
                assert process.stdin is not None  # noqa: S101  # a pipe
                process.stdin.close()
            elif self._num_stops == 2:
                process.terminate()
            else:
                process.kill()


def _has_run(run_dir: Path) -> bool:
    """Return whether there is a run in a folder; remove what one left that was killed before.

    Raises:
        ExperimentError: Something else is in it.
    """
    if (run_dir / "config.json").exists():
        return True
    if others := {each.name for each in run_dir.iterdir()} - {".lock", INITIAL}:
        raise ExperimentError(f"{run_dir} has no run in it, but {shown(min(others))}: move it away")
    shutil.rmtree(run_dir)
    return False


def _require_planned(run: PlannedRun, outcome: Outcome) -> None:
    """See that the run in a folder is the one that is planned there.

    Raises:
        ExperimentError: It isn't.
    """
    planned, there = what_results_depend_on(run.config), what_results_depend_on(outcome.config)
    for name in planned.keys() - NOTED:
        if planned[name] != there[name]:
            raise ExperimentError(
                f"the run in {run.run_dir} is another one: its {name} is {shown(there[name])}, not "
                f"{shown(planned[name])}: move it away"
            )
