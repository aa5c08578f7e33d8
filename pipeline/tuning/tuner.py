"""A search for hyper-parameters: trials by the sampler, some at a time, each with its seeds one after the other.

```
ask for 4 trials -> a run of each, first seed -> the better half goes on: second seed -> ... -> ask for the next 4
```

Nothing is kept but what was asked: a trial's values and results are read from its runs' folders, so a search that was
stopped or killed goes on by looking at them. Whatever is decided is decided after all runs of a stage, in their order:
which trials there are doesn't depend on how many runs go on at a time, nor on which was done first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.experiment.runner import Runner, VariantStopped
from pipeline.experiment.statistics import median
from pipeline.persist.runs import read_config
from pipeline.tuning.plan import TuningPlan, trial_name
from pipeline.tuning.sampler import Told, ask
from pipeline.tuning.space import values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pipeline.experiment.outcome import Outcome
    from pipeline.experiment.plan import PlannedRun
    from pipeline.experiment.runner import Event, RunFailed

NUM_COMPARED: Final = 5
"""Trials that have come so far before one of them is given up."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Values, and what came of them."""

    number: int
    values: Mapping[str, Any]
    """What it has of what is searched."""
    greedy: tuple[float, ...] = ()
    """Mean return of fresh episodes of each run's defender, by seed, in points: -inf where none was named. Fewer than
    there are seeds: it was given up, or is under way."""

    @property
    def worth(self) -> float:
        """The median over its seeds."""
        return float(median(np.array(self.greedy)))


class Tuner:
    """Runs what is left of a search.

    Args:
        plan: What was asked.
        folder: Where its runs are.
        speed: What no result depends on, of each run.
        arguments: Returns the command line's arguments that begin a run, or go on with one.
        note: Called with what happens.
    """

    def __init__(
        self,
        plan: TuningPlan,
        folder: Path,
        speed: Mapping[str, Any],
        *,
        arguments: Callable[[PlannedRun, bool], Sequence[str]],
        note: Callable[[Event], None],
    ) -> None:
        self._plan, self._folder, self._speed = plan, folder, speed
        self._arguments, self._note = arguments, note
        self._runner: Runner | None = None
        self._num_stops = 0
        self.trials: list[Trial] = []
        """Those that have ended, in their order."""
        self.failures: list[RunFailed] = []
        """If there are any, the search has ended with the stage that they are of."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._num_stops > 0

    def stop(self) -> None:
        """End all runs after the update in progress; called again, at once; a third time, without a last word."""
        self._num_stops += 1
        if self._runner is not None:
            self._runner.stop()

    async def run(self, num_jobs: int) -> None:
        """Run what is left, `num_jobs` at a time, until all has ended, a run has failed, or it is stopped."""
        plan = self._plan
        while len(self.trials) < plan.num_trials:
            batch = await asyncio.to_thread(self._next)
            going_on = [trial.number for trial in batch]
            for index in range(plan.num_seeds):
                if not going_on:
                    break
                runs = {trial.number: self._run_of(trial, index) for trial in batch if trial.number in going_on}
                outcomes = await self._outcomes(list(runs.values()), num_jobs)
                if outcomes is None:
                    return
                batch = [
                    replace(trial, greedy=(*trial.greedy, outcomes[runs[trial.number].run_dir].greedy))
                    if trial.number in runs
                    else trial
                    for trial in batch
                ]
                if index + 1 < plan.num_seeds:
                    given_up = below_the_median([*self.trials, *batch], index + 1)
                    for number in [each for each in going_on if each in given_up]:
                        going_on.remove(number)
                        self._note(VariantStopped(trial_name(number), index + 1, "below the median"))
            self.trials += batch

    def _next(self) -> list[Trial]:
        """Return the trials that are next: those that were begun as they are, the others from the sampler."""
        batch: list[Trial] = []
        first = len(self.trials)
        for number in range(first, min(first + self._plan.num_together, self._plan.num_trials)):
            batch.append(Trial(number, self._values(number, batch)))
        return batch

    def _values(self, number: int, batch: Sequence[Trial]) -> dict[str, Any]:
        run_dir = self._run_of(Trial(number, {}), 0).run_dir
        if (run_dir / "config.json").exists():  # so that another version of the sampler can't change what was begun
            return values_of(read_config(run_dir), self._plan.search)
        if number == 0:
            return self._plan.defaults()
        told = [self._told(trial) for trial in (*self.trials, *batch)]
        return ask(self._plan.search, told, self._plan.first_seed, number)

    def _told(self, trial: Trial) -> Told:
        num_seeds = len(trial.greedy)
        return Told(
            trial.values, trial.worth if num_seeds else None, num_seeds if num_seeds < self._plan.num_seeds else None
        )

    def _run_of(self, trial: Trial, index: int) -> PlannedRun:
        values = trial.values if trial.number else {}
        return self._plan.run(trial.number, values, index, self._folder, self._speed)

    async def _outcomes(self, runs: list[PlannedRun], num_jobs: int) -> dict[Path, Outcome] | None:
        """Return what came of runs, by their folders; None if not all have ended."""
        if self.is_stopped:
            return None
        self._runner = Runner(runs, stop_hopeless=False, arguments=self._arguments, note=self._note)
        await self._runner.run(num_jobs)
        self.failures += self._runner.failures
        outcomes = self._runner.outcomes
        return outcomes if len(outcomes) == len(runs) else None


def below_the_median(trials: Sequence[Trial], num_seeds: int) -> list[int]:
    """Return the numbers of the trials that get no more seeds after so many: they are worth less than the median one.

    Trial 0 never is one of them: it has the defaults, which the others are compared with.

    Args:
        trials: Any; those count that have had so many seeds, with what they were worth then.
        num_seeds: One or more.
    """
    worth = {
        trial.number: replace(trial, greedy=trial.greedy[:num_seeds]).worth
        for trial in trials
        if len(trial.greedy) >= num_seeds
    }
    if len(worth) < NUM_COMPARED:
        return []
    middle = float(median(np.array(list(worth.values()))))
    return [number for number, each in worth.items() if number and each < middle]


def best_of(trials: Iterable[Trial], num_seeds: int) -> list[Trial]:
    """Return the trials that had all their seeds, the best first; of equal ones the earlier."""
    return sorted((trial for trial in trials if len(trial.greedy) == num_seeds), key=lambda trial: -trial.worth)
