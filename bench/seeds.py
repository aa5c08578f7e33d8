"""How far `run.py compare` and `--stop-hopeless` can be trusted: on values whose truth is known, by how many seeds.

python bench/seeds.py

Coverage is how often a 95 % interval of the interquartile mean holds the true one. Stopped is how often variants get no
more seeds after the first comparison: those that are worse by so many standard deviations between seeds, and the best.
"""

from __future__ import annotations

import argparse
import json
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from pipeline.command.options import Parser
from pipeline.experiment.hopeless import hopeless
from pipeline.experiment.statistics import LEAST_SEEDS, interquartile_mean, interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.experiment.statistics import Runs

NUM_SEEDS = (5, 7, 10, 20)
WORSE_BY = (0.0, 0.5, 1.0, 2.0, 3.0)
"""Standard deviations between seeds."""
NUM_VARIANTS = (2, 4)
DRAWS: Mapping[str, Callable[[np.random.Generator, int], Runs]] = MappingProxyType(
    {
        "normal": lambda rng, num: rng.normal(size=num),
        "exponential": lambda rng, num: -rng.exponential(size=num),  # most are good, a few are bad
    }
)
NUM_FOR_THE_TRUTH = 1_000_000


def coverage(name: str, num_seeds: int, num_samples: int) -> float:
    """Return how often the interval of a sample's interquartile mean holds what one of very many values is."""
    rng = np.random.default_rng(0)
    truth = float(interquartile_mean(DRAWS[name](rng, NUM_FOR_THE_TRUTH)))
    intervals = (interval(DRAWS[name](rng, num_seeds), interquartile_mean) for _ in range(num_samples))
    return sum(each.low <= truth <= each.high for each in intervals) / num_samples


def stopped(num_variants: int, worse_by: float, num_samples: int) -> tuple[float, float]:
    """Return how often the best variant is stopped, and how often one of the others, which are all equally worse."""
    rng = np.random.default_rng(0)
    num_best = num_others = 0
    for _ in range(num_samples):
        returns = {str(i): rng.normal(-worse_by if i else 0.0, size=LEAST_SEEDS) for i in range(num_variants)}
        names = hopeless(returns)
        num_best += "0" in names
        num_others += sum(name != "0" for name in names)
    return num_best / num_samples, num_others / num_samples / (num_variants - 1)


def main() -> None:
    """Measure, and print."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000, metavar="N", help="of each kind [1000]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    covered = {name: {num: coverage(name, num, options.samples) for num in NUM_SEEDS} for name in DRAWS}
    stops = {num: {by: stopped(num, by, options.samples) for by in WORSE_BY} for num in NUM_VARIANTS}
    if options.json:
        print(json.dumps({"coverage": covered, "stopped": stops}, indent=2))
        return
    table = Table("values", *(f"{num} seeds" for num in NUM_SEEDS), title="Coverage of 95 % intervals")
    for name, by_num in covered.items():
        table.add_row(name, *(f"{share:.3f}" for share in by_num.values()))
    Console().print(table)
    table = Table("variants", "others worse by", "best stopped", "others stopped", title="After five seeds")
    for num, by_worse in stops.items():
        for by, (best, others) in by_worse.items():
            table.add_row(str(num), f"{by:g}", f"{best:.3f}", f"{others:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
