"""A comparison as people read it, and as programs do."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.experiment.statistics import LEAST_SEEDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.experiment.comparison import Comparison, Measure, Variant
    from pipeline.experiment.statistics import Interval


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table, wherever it is drawn; its first column names the rows."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sheets(comparison: Comparison) -> Iterator[Sheet]:
    """Yield the comparison's tables."""
    yield _worth(comparison)
    if comparison.best is not None:
        yield _improvements(comparison)
    yield _thresholds(comparison)


def notes(comparison: Comparison) -> Iterator[str]:
    """Yield what has to be known to read the tables, and what can't be said."""
    for name, why in comparison.left_out:
        yield f"left out: {name}: {why}"
    for variant in comparison.variants:
        if variant.num_without_defender:
            yield (
                f"{variant.name}: {_runs(variant.num_without_defender)} of {len(variant.seeds)} named no defender, "
                "which counts as worse than any"
            )
    if few := [variant for variant in comparison.variants if len(variant.seeds) < LEAST_SEEDS]:
        yield (
            f"fewer than {LEAST_SEEDS} seeds ({', '.join(f'{each.name}: {len(each.seeds)}' for each in few)}): no "
            "interval, no interquartile mean and no probability of improvement. Median, lowest and highest describe "
            "these runs; they don't say how other seeds would do, nor which variant is better"
        )
    shares = [each.share_above for variant in comparison.variants for each in variant.thresholds]
    if any(
        each and each.low == each.high for each in (*shares, *(each.probability for each in comparison.improvements))
    ):
        yield (
            "a share or probability with an interval of a single value, as 1.00 [1.00, 1.00]: these runs agree "
            "altogether, so their resamples do. That is not certainty"
        )
    if comparison.best is not None:
        yield (
            f"{comparison.best} has the highest interquartile mean of these runs; that it was picked among "
            f"{len(comparison.variants)} by the same runs is not in its interval"
        )


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON can hold it: what is infinite, for a run had no value, is null."""
    return {"least_seeds": LEAST_SEEDS, **finite(asdict(comparison))}


def _worth(comparison: Comparison) -> Sheet:
    return Sheet(
        "What the defenders are worth: fresh episodes of each run, 95 % over seeds",
        ("variant", "seeds", "greedy return, IQM", "median", "lowest to highest", "sampled, IQM", "compliance, IQM"),
        tuple(
            (
                variant.name,
                str(len(variant.seeds)),
                _interval(variant.greedy.interquartile_mean),
                _median(variant.greedy),
                f"{_figure(variant.greedy.lowest)} to {_figure(variant.greedy.highest)}",
                _interval(variant.sampled.interquartile_mean),
                _interval(variant.compliance.interquartile_mean, digits=2),
            )
            for variant in comparison.variants
        ),
    )


def _improvements(comparison: Comparison) -> Sheet:
    return Sheet(
        "Probability that a run of the one is better than a run of the other: greedy return, 95 %",
        ("variant", "over", "probability"),
        tuple(
            (each.variant, each.over, _interval(each.probability, digits=2))
            for each in comparison.improvements
            if each.variant == comparison.best
        ),
    )


def _thresholds(comparison: Comparison) -> Sheet:
    return Sheet(
        "Returns reached: share of defenders above, and episodes until the last "
        f"{comparison.window:,} of training came there, median",
        ("variant", *(f"{each.threshold:g}" for each in comparison.variants[0].thresholds)),
        tuple((variant.name, *_reached(variant)) for variant in comparison.variants),
    )


def _reached(variant: Variant) -> Iterator[str]:
    for each in variant.thresholds:
        of = len(variant.seeds)
        above = _interval(each.share_above, digits=2) if each.share_above else f"{each.num_above} of {of}"
        episodes = _episodes(each.episodes)
        never = f", {each.num_never} of {of} never" if 0 < each.num_never < of else ""
        yield f"{above}\n{episodes}{never}"


def _episodes(measure: Measure) -> str:
    if measure.median_interval is None:
        one = measure.lowest == measure.highest
        return _count(measure.lowest) if one else f"{_count(measure.lowest)} to {_count(measure.highest)}"
    interval = measure.median_interval
    if math.isinf(measure.lowest):
        return "never"
    return f"{_count(interval.estimate)} [{_count(interval.low)}, {_count(interval.high)}]"


def _median(measure: Measure) -> str:
    return _interval(measure.median_interval) if measure.median_interval else _figure(measure.median)


def _interval(interval: Interval | None, digits: int = 1) -> str:
    if interval is None:
        return "-"
    low, high = _figure(interval.low, digits), _figure(interval.high, digits)
    return f"{_figure(interval.estimate, digits)} [{low}, {high}]"


def _figure(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "none"


def _count(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "never"


def _runs(num: int) -> str:
    return f"{num} run{'' if num == 1 else 's'}"


def finite(value: Any) -> Any:
    """Return a value as JSON can hold it, with null for what is infinite."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
