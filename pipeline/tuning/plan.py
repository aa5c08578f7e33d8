"""A search for hyper-parameters as it is asked for: trials times seeds, and what its winner is compared by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipeline.config import Config
from pipeline.experiment.errors import ExperimentError
from pipeline.experiment.plan import Plan, PlannedRun, as_asked
from pipeline.experiment.statistics import LEAST_SEEDS
from pipeline.printable import shown
from pipeline.tuning.space import SPACE, searchable, values_of, with_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_TRIALS: Final = 1000
MAX_SEEDS: Final = 100
CHOSEN: Final = "chosen"
DEFAULTS: Final = "defaults"
"""What the two variants are called that are compared in the end."""


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """What was asked for, whatever it is computed with. Equal plans have equal results.

    Raises:
        ExperimentError: It makes no sense.
    """

    base: Mapping[str, Any]
    """The values that are given, as JSON has them: what trial 0 is trained by, and all others but for what is searched.
    `seed` is the first one."""
    search: tuple[str, ...]
    """Names of what is searched, in the order of `SPACE`."""
    num_trials: int
    num_seeds: int
    """Of a trial: all have the same ones."""
    num_fresh_seeds: int
    """Others, by which the winner is compared with the defaults."""
    num_together: int
    """Trials that are asked for at a time, not knowing of one another's results."""

    def __post_init__(self) -> None:
        """See that the plan makes sense."""
        for what, number, lowest, highest in (
            ("trials", self.num_trials, 2, MAX_TRIALS),
            ("seeds", self.num_seeds, 1, MAX_SEEDS),
            ("fresh seeds", self.num_fresh_seeds, LEAST_SEEDS, MAX_SEEDS),
            ("trials together", self.num_together, 1, MAX_TRIALS),
        ):
            if type(number) is not int or not lowest <= number <= highest:
                raise ExperimentError(f"{shown(number)} {what}: must be from {lowest} to {highest}")
        names = searchable(self.config)
        if unknown := [name for name in self.search if name not in names]:
            why = "this recipe has no use for it" if unknown[0] in SPACE else f"choose of {', '.join(names)}"
            raise ExperimentError(f"{shown(unknown[0])} can't be searched: {why}")
        if not self.search or list(self.search) != [name for name in SPACE if name in self.search]:
            raise ExperimentError("what is searched must be one or more names, each once, in their order")

    @property
    def config(self) -> Config:
        """The configuration of the defaults, with the first seed."""
        return Config.model_validate(self.base)

    @property
    def first_seed(self) -> int:
        """The first of a trial's seeds."""
        return int(self.base.get("seed", 0))

    @property
    def first_fresh_seed(self) -> int:
        """The first of the seeds that no trial had."""
        return self.first_seed + self.num_seeds

    def defaults(self) -> dict[str, Any]:
        """Return what the defaults have for the names that are searched."""
        return values_of(self.config, self.search)

    def config_of(self, values: Mapping[str, Any]) -> Config:
        """Return the configuration with values of what is searched; none: the defaults."""
        return Config.model_validate(with_values(self.base, values))

    def run(
        self, number: int, values: Mapping[str, Any], index: int, folder: Path, speed: Mapping[str, Any]
    ) -> PlannedRun:
        """Return a run of a trial.

        Args:
            number: The trial's.
            values: What it has of what is searched; none: the defaults.
            index: Of its seed, from 0.
            folder: The search's.
            speed: What no result depends on.
        """
        name, seed = trial_name(number), self.first_seed + index
        place = {"log_dir": folder, "run_name": f"{name}-seed{seed}"}
        return PlannedRun(
            name, Config.model_validate({**with_values(self.base, values), **speed, "seed": seed, **place})
        )

    def runs(self, folder: Path, speed: Mapping[str, Any]) -> Iterator[PlannedRun]:
        """Yield all runs that there may be, though some trials get fewer: where they lie, and how long they are."""
        for number in range(self.num_trials):
            for index in range(self.num_seeds):
                yield self.run(number, {}, index, folder, speed)

    def fresh(self, values: Mapping[str, Any]) -> Plan:
        """Return the experiment that compares values with the defaults, on other seeds."""
        seed = {"seed": self.first_fresh_seed}
        variants = {CHOSEN: {**as_asked(self.config_of(values)), **seed}, DEFAULTS: {**self.base, **seed}}
        return Plan(variants, self.num_fresh_seeds)


def trial_name(number: int) -> str:
    """Return what a trial's folders are called by."""
    return f"trial-{number:03d}"
