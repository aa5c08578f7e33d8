"""An experiment as it is asked for: variants times seeds, each of which is a run of its own.

Runs are ordered by seed, then by variant: after any of them all variants have come equally far, or nearly.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipeline.config import Config
from pipeline.experiment.errors import ExperimentError
from pipeline.marks import Effect
from pipeline.printable import shown
from pipeline.values import effect_of, what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_SEEDS: Final = 1000
MAX_RUNS: Final = 10_000
PLACED_BY_THE_EXPERIMENT: Final = ("log_dir", "run_name")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of an experiment."""

    variant: str
    config: Config
    """With its seed, and its folder's place and name."""

    @property
    def run_dir(self) -> Path:
        """Its folder."""
        assert self.config.run_name is not None  # noqa: S101  # `Plan.runs` gives it one
        return self.config.log_dir / self.config.run_name


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for, whatever it is computed with. Equal plans have equal results.

    Raises:
        ExperimentError: Nothing can be learned from it, or its runs can't be told apart.
    """

    variants: Mapping[str, Mapping[str, Any]]
    """By name: the values that are given, as JSON has them; `seed` is the first one's."""
    num_seeds: int
    stop_hopeless: bool = False

    def __post_init__(self) -> None:
        """See that the plan makes sense."""
        for name in self.variants:
            if not _NAME.fullmatch(name):
                raise ExperimentError(
                    f"variant {shown(name)!r}: folders are called by it, so it takes up to 80 letters, digits, dots, "
                    "dashes and underscores"
                )
        if not 1 <= self.num_seeds <= MAX_SEEDS:
            raise ExperimentError(f"{self.num_seeds} seeds: must be from 1 to {MAX_SEEDS}")
        if self.num_seeds * len(self.variants) > MAX_RUNS:
            raise ExperimentError(f"{self.num_seeds * len(self.variants)} runs: must be {MAX_RUNS} at most")
        same: dict[str, str] = {}
        for name, values in self.variants.items():
            key = json.dumps(what_results_depend_on(Config.model_validate(values)), sort_keys=True)
            if key in same:
                raise ExperimentError(
                    f"variants {same[key]} and {name} are the same run: results don't depend on what differs"
                )
            same[key] = name

    @classmethod
    def of(cls, variants: Mapping[str, Config], num_seeds: int, *, stop_hopeless: bool) -> Plan:
        """Return the plan of configurations that were checked, each by its name.

        What they say of how fast it goes and where it is kept is no part of it.
        """
        given = {name: as_asked(config) for name, config in variants.items()}
        return cls(given, num_seeds, stop_hopeless)

    def runs(self, folder: Path, speed: Mapping[str, Any]) -> Iterator[PlannedRun]:
        """Yield all runs.

        Args:
            folder: The experiment's.
            speed: What no result depends on, of each run.
        """
        for index in range(self.num_seeds):
            for name, values in self.variants.items():
                seed = int(values.get("seed", 0)) + index
                place = {"log_dir": folder, "run_name": f"{name}-seed{seed}"}
                yield PlannedRun(name, Config.model_validate({**values, **speed, "seed": seed, **place}))


def as_asked(config: Config) -> dict[str, Any]:
    """Return the values that were given, as JSON has them, but for how fast a run goes and where it is kept."""
    left_out = {name for name in Config.model_fields if effect_of(name) is Effect.SPEED}
    return config.model_dump(mode="json", exclude_unset=True, exclude={*left_out, *PLACED_BY_THE_EXPERIMENT})
