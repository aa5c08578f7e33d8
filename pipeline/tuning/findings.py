"""What came of a search for hyper-parameters: its trials, and how its winner does on seeds that it wasn't chosen by."""

from __future__ import annotations

import math
import textwrap
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.experiment.comparison import compare
from pipeline.experiment.statistics import difference
from pipeline.experiment.told import Sheet, as_json, finite
from pipeline.persist.toml import as_toml
from pipeline.tuning.plan import CHOSEN, DEFAULTS, trial_name
from pipeline.tuning.space import TABLE, text_of
from pipeline.tuning.tuner import best_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.experiment.comparison import Comparison
    from pipeline.experiment.outcome import Outcome
    from pipeline.experiment.plan import PlannedRun
    from pipeline.experiment.statistics import Interval
    from pipeline.tuning.plan import TuningPlan
    from pipeline.tuning.tuner import Trial

_NUM_SHOWN: Final = 5
"""Of the best trials."""
_LINE: Final = 110


@dataclass(frozen=True, slots=True)
class Fresh:
    """The winner and the defaults, on seeds that no trial had."""

    comparison: Comparison
    difference: Interval | None
    """Of the interquartile means of their greedy returns, in points; None: a run named no defender."""

    @classmethod
    def of(cls, runs: Sequence[PlannedRun], outcomes: Mapping[Path, Outcome]) -> Fresh:
        """Return what follows from runs, all of which have ended."""
        names = {run.run_dir: run.variant for run in runs}
        chosen, defaults = (
            np.array([outcomes[run.run_dir].greedy for run in runs if run.variant == name])
            for name in (CHOSEN, DEFAULTS)
        )
        have_values = np.isfinite(chosen).all() and np.isfinite(defaults).all()
        comparison = compare([outcomes[run_dir] for run_dir in names], names)
        return cls(comparison, difference(chosen, defaults) if have_values else None)

    def told(self, plan: TuningPlan) -> str:
        """Return in words what they came to."""
        improvement = next(each for each in self.comparison.improvements if each.variant == CHOSEN).probability
        afresh = (
            f"afresh, on {plan.num_fresh_seeds} seeds from {plan.first_fresh_seed}, a run with the chosen values is"
        )
        better = f"better than one with the defaults with probability {_interval(improvement, digits=2)}"
        if self.difference is None:
            return f"{afresh} {better}; some named no defender, so there is no difference of means"
        by = f"their interquartile mean is higher by {_interval(self.difference)} points"
        is_shown = self.difference.low > 0 or self.difference.high < 0
        doubt = "" if is_shown else ". The interval holds 0, so these seeds show no difference"
        return f"{afresh} {better}; {by} (95 % over seeds){doubt}"


@dataclass(frozen=True, slots=True)
class Findings:
    """All that came of a search."""

    plan: TuningPlan
    trials: tuple[Trial, ...]
    fresh: Fresh | None = None
    """None: no trial was better than the defaults."""

    @property
    def best(self) -> Trial:
        """The trial of the highest median; of equal ones the first, and the defaults if none has one."""
        best = best_of(self.trials, self.plan.num_seeds)[0]
        return best if math.isfinite(best.worth) else self.trials[0]

    def sheet(self) -> Sheet:
        """Return the table of the best trials, beside the defaults."""
        ranked = [trial for trial in best_of(self.trials, self.plan.num_seeds) if trial.number]
        columns = [self.trials[0], *ranked[:_NUM_SHOWN]]
        return Sheet(
            f"The best of {len(self.trials)} trials: greedy return, of {_seeds(self.plan.num_seeds)} each",
            ("", "defaults", *(trial_name(trial.number) for trial in columns[1:])),
            (
                ("median", *(_figure(trial.worth) for trial in columns)),
                ("lowest", *(_figure(min(trial.greedy)) for trial in columns)),
                ("highest", *(_figure(max(trial.greedy)) for trial in columns)),
                *((name, *(text_of(trial.values[name]) for trial in columns)) for name in self.plan.search),
            ),
        )

    def choice(self) -> str:
        """Return in words how the best was chosen, and what doesn't follow from it."""
        num_given_up = sum(len(trial.greedy) < self.plan.num_seeds for trial in self.trials)
        return (
            f"chosen among {len(self.trials)} trials by these very runs: that flatters the best, and no interval of "
            f"them would mend it. {num_given_up} below the median got fewer seeds than the others"
        )

    def conclusion(self) -> str:
        """Return in words what follows for other seeds."""
        if math.isinf(self.best.worth):
            return "no trial has a median: too few of the runs named a defender. Give them more --total-episodes"
        if self.fresh is None:
            return f"no trial was better than the defaults ({_figure(self.best.worth)}), which are the recipe, then"
        return self.fresh.told(self.plan)

    def recipe(self) -> str:
        """Return the recipe file: what `run.py train --config FILE` takes."""
        plan = self.plan
        trials = f"{len(self.trials)} trials of {_seeds(plan.num_seeds)} from {plan.first_seed}"
        num_episodes = f"{plan.config.total_episodes:,}"
        conclusion = self.conclusion()
        about = (
            f"Chosen by `run.py tune` among {trials}, {num_episodes} episodes each, by the median greedy return.",
            f"{conclusion[0].upper()}{conclusion[1:]}.",
            f"Rates are annealed over a run's episodes: this was chosen for {num_episodes}, and for no other number.",
        )
        head = "".join(f"# {line}\n" for text in about for line in textwrap.wrap(text, _LINE))
        config = plan.config_of(self.best.values if self.best.number else {})
        names = {"hidden_sizes", "episodes_per_update", TABLE}
        values = config.model_dump(mode="json", exclude_unset=True, include=names)
        return head + as_toml({"recipe": config.recipe, **values})

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it: what is infinite, for a run had no value, is null."""
        trials = [
            {
                "number": trial.number,
                "values": dict(trial.values),
                "greedy": trial.greedy,
                "median": trial.worth,
                "given_up": len(trial.greedy) < self.plan.num_seeds,
            }
            for trial in self.trials
        ]
        fresh = self.fresh and {
            "comparison": as_json(self.fresh.comparison),
            "difference": self.fresh.difference and asdict(self.fresh.difference),
        }
        found: dict[str, Any] = finite({"trials": trials, "best": self.best.number, "fresh": fresh})
        return found


def _seeds(number: int) -> str:
    return f"{number} seed{'s'[: number != 1]}"


def _figure(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "none"


def _interval(interval: Interval, digits: int = 1) -> str:
    return f"{interval.estimate:.{digits}f} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
