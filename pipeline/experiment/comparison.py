"""Runs compared: those that differ in their seeds alone are one variant's, and variants are set beside one another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.experiment import statistics
from pipeline.experiment.outcome import episodes_until
from pipeline.experiment.statistics import LEAST_SEEDS, Interval
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.experiment.outcome import Outcome
    from pipeline.experiment.statistics import Runs

THRESHOLDS: Final = (-100.0, -50.0, -30.0, -20.0, -18.24)
"""Returns, in points. The last is what the research prototype's best run came to, after 27,296 episodes."""
WINDOW: Final = 500
"""Episodes of training that a mean is taken over."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number per run, told of a variant's runs."""

    lowest: float
    median: float
    highest: float
    """These three describe the runs that there are. Infinite: some run has no value."""
    interquartile_mean: Interval | None
    median_interval: Interval | None
    """What holds for other seeds, too; None with fewer than `LEAST_SEEDS`."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """How a variant's runs stand to a return."""

    threshold: float
    num_above: int
    """Runs whose defender is better, greedy."""
    share_above: Interval | None
    """The same as a share: a point of the performance profile."""
    num_never: int
    """Runs that never came there in training."""
    episodes: Measure
    """Until training came there; inf for those that never did."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Runs that differ in their seeds alone."""

    name: str
    seeds: tuple[int, ...]
    num_without_defender: int
    typical: str
    """The folder of the run of the median greedy return, of an even number the worse of the two."""
    greedy: Measure
    sampled: Measure
    compliance: Measure
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True, slots=True)
class Improvement:
    """How probably a run of one variant is better than one of another: greedy return, a tie being half of each."""

    variant: str
    over: str
    probability: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that is said of the runs."""

    variants: tuple[Variant, ...]
    best: str | None
    """Whose interquartile mean of greedy returns is the highest; None if fewer than two variants have enough seeds."""
    improvements: tuple[Improvement, ...]
    """Of all pairs that have enough seeds."""
    left_out: tuple[tuple[str, str], ...]
    """Runs that don't count, by name, and why."""
    window: int


def compare(
    outcomes: Sequence[Outcome],
    names: Mapping[Path, str] | None = None,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    window: int = WINDOW,
) -> Comparison:
    """Compare runs.

    Args:
        outcomes: Of all runs, ended or not.
        names: Of variants, by their runs' folders; others are called by where their configurations differ.
        thresholds: Returns, in points.
        window: Episodes of training that a mean is taken over.
    """
    groups, left_out = _grouped(outcomes)
    called = _named(groups, names or {})
    variants = tuple(_variant(name, group, thresholds, window) for name, group in zip(called, groups, strict=True))
    greedy = {
        name: np.array([run.greedy for run in group])
        for name, group in zip(called, groups, strict=True)
        if len(group) >= LEAST_SEEDS
    }
    improvements = tuple(
        Improvement(one, other, statistics.improvement(greedy[one], greedy[other]))
        for one in greedy
        for other in greedy
        if one != other
    )
    means = {name: float(statistics.interquartile_mean(runs)) for name, runs in greedy.items()}
    best = max(means, key=means.__getitem__) if len(means) > 1 else None
    return Comparison(variants, best, improvements, tuple(left_out), window)


def _grouped(outcomes: Sequence[Outcome]) -> tuple[list[list[Outcome]], list[tuple[str, str]]]:
    """Return runs that ended by variant, the lowest seed first, and those that are left out."""
    groups: dict[str, dict[int, Outcome]] = {}
    left_out = []
    for outcome in outcomes:
        if not outcome.has_ended:
            left_out.append((outcome.run_dir.name, outcome.why))
            continue
        group = groups.setdefault(json.dumps(_but_the_seed(outcome), sort_keys=True), {})
        same = group.setdefault(outcome.config.seed, outcome)
        if same is not outcome:
            left_out.append((outcome.run_dir.name, f"the same run as {same.run_dir.name}"))
    return [[group[seed] for seed in sorted(group)] for group in groups.values()], left_out


def _named(groups: Sequence[Sequence[Outcome]], names: Mapping[Path, str]) -> list[str]:
    """Return what groups are called: as in their experiment, or by where they differ, each name once."""
    flat = [_flat(_but_the_seed(group[0])) for group in groups]
    differing = [key for key in dict.fromkeys(key for each in flat for key in each) if _differs(flat, key)]
    called: list[str] = []
    for group, values in zip(groups, flat, strict=True):
        given = {names.get(run.run_dir) for run in group}
        name = given.pop() if len(given) == 1 else None
        if name is None:
            name = ", ".join(f"{key}={_text(values.get(key))}" for key in differing) or "all"
        called.append(name if name not in called else f"{name} ({len(called) + 1})")
    return called


def _differs(flat: Sequence[Mapping[str, Any]], key: str) -> bool:
    return len({json.dumps(each.get(key)) for each in flat}) > 1


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _but_the_seed(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in what_results_depend_on(outcome.config).items() if name != "seed"}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _variant(name: str, runs: Sequence[Outcome], thresholds: Sequence[float], window: int) -> Variant:
    greedy = np.array([run.greedy for run in runs])
    typical = runs[int(np.argsort(greedy, kind="stable")[(len(runs) - 1) // 2])]
    return Variant(
        name=name,
        seeds=tuple(run.config.seed for run in runs),
        num_without_defender=sum(run.defender is None for run in runs),
        typical=str(typical.run_dir),
        greedy=_measure(greedy),
        sampled=_measure(np.array([run.sampled for run in runs])),
        compliance=_measure(np.array([run.compliance for run in runs])),
        thresholds=tuple(_threshold(runs, greedy, threshold, window) for threshold in thresholds),
    )


def _threshold(runs: Sequence[Outcome], greedy: Runs, threshold: float, window: int) -> Threshold:
    episodes = np.array([episodes_until(run.rows, threshold, window) for run in runs])
    return Threshold(
        threshold=threshold,
        num_above=int((greedy > threshold).sum()),
        share_above=_interval(greedy, statistics.share_above(threshold)),
        num_never=int(np.isinf(episodes).sum()),
        episodes=_measure(episodes),
    )


def _measure(runs: Runs) -> Measure:
    return Measure(
        lowest=float(runs.min()),
        median=float(statistics.median(runs)),
        highest=float(runs.max()),
        interquartile_mean=_interval(runs, statistics.interquartile_mean),
        median_interval=_interval(runs, statistics.median),
    )


def _interval(runs: Runs, statistic: Callable[[Runs], Runs]) -> Interval | None:
    return statistics.interval(runs, statistic) if len(runs) >= LEAST_SEEDS else None
