"""How far from the best order a search ends: made-up landscapes, seen through noise, against simpler rules.

    python bench/search.py                       60 seeds, on all cores: the table of docs/search.md
    python bench/search.py --seeds 5 --jobs 1    a first look
    python bench/search.py --json > search.json

Each search visits 30 orders, one after the other, and hears of each a value with noise. It may visit an order again.
After 10, 20 and 30 it names the order that it takes for the best. All figures are in standard deviations of the
landscape over the 120 orders:

  simple regret      the value of the best order less that of the order named: how good is the answer?
  cumulative regret  the same for every order visited, added up: what did it cost to search?

Policies are finished at their first visit, or they go on learning: then a policy is worth 2 less than its order's value
after one visit, and half as much less after each further one.

The order named is, for the Gaussian processes, the observed one with the highest posterior mean; for rules
without a posterior, the one with the highest value at its last visit.

Landscapes (bench/parts/landscapes.py): drawn from a Mallows process; one peak; the first place decides; assignment;
precedences; three relevant types; rugged (nothing to be learned from one order about another); like compliance in the
game; tied (half of the orders are equally best). Noises: Gaussian of 0.25 and of 1 standard deviation; heavy-tailed and
skewed, of 0.5. Half of the variance is an evaluation's, whose standard error the search is told; the other half
is how the training of an order's one policy turned out, which it is not.

All rules see the same landscapes, the same trainings, and the n-th evaluation of all has the same noise:

  random             any order that has not been tried
  prototype          the research prototype's rule
  mallows            GP-UCB with a Mallows kernel, one decay for all pairs, by maximum likelihood
  position           GP-UCB with a kernel that counts the places where two orders agree
  one-hot            GP-UCB with an RBF over one-hot orders, by maximum likelihood
  revisiting         the project's models, by the mean of all visits to an order; the leader may be visited again
  project            the search that the project uses: GP-UCB with an average of models, no order visited twice
  project-4, -16     the same, so many orders at a time: it hears of them together (`--concurrent-visits`)
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass

import numpy as np
from parts.landscapes import LANDSCAPES, NOISES, draw
from parts.rules import RULES, SEVERAL, best_order, next_orders

from pipeline.command.options import Parser, UsageError
from pipeline.machine import num_cores
from pipeline.workflows.observations import Observation

NUM_TRIALS = 30
STOPS = (10, 20, 30)
ALL_RULES = (*RULES, *SEVERAL)
EASY = "tied"
"""Left out of the average: half of the answers are right, and all rules end near 0."""
LEARNING = {"finished": 0.0, "learning": 2.0}
"""How far a policy is below its order's value after its first visit, in standard deviations of the landscape."""
FIGURES = (*(f"after {stop}" for stop in STOPS), f"cumulative over {NUM_TRIALS}")


@dataclass(frozen=True, slots=True)
class Score:
    """A figure over all seeds."""

    mean: float
    stderr: float


@dataclass(frozen=True, slots=True)
class Row:
    """What a rule reached, in standard deviations of the landscape."""

    rule: str
    average: dict[str, Score]
    """Over all landscapes but the easy one and over all noises, by `FIGURES`; policies are finished."""
    learning: dict[str, Score]
    """The same where policies go on learning."""
    by_landscape: dict[str, Score]
    """Simple regret after the last visit, over all noises; policies are finished."""
    learning_by_landscape: dict[str, Score]
    """The same where policies go on learning."""
    by_noise: dict[str, Score]
    """Simple regret after the last visit, over all landscapes but the easy one; policies are finished."""


def search(rule: str, landscape: str, noise: str, gap: float, seed: int) -> list[float]:
    """Search once; return the simple regret at each of `STOPS`, and the cumulative regret.

    Args:
        rule: Of `ALL_RULES`.
        landscape: Of `LANDSCAPES`.
        noise: Of `NOISES`.
        gap: How far a policy is below its order's value after its first visit.
        seed: Of the landscape, the noise and ties.
    """
    values = draw(landscape, seed)
    which = [seed, list(LANDSCAPES).index(landscape), list(NOISES).index(noise)]
    errors, lots = np.random.default_rng([*which, 0]), np.random.default_rng([*which, 1])
    std, drawn = NOISES[noise]
    part = std / math.sqrt(2)  # of evaluation and of training each
    trained = part * np.array([drawn(errors) for _ in values])
    worth = values - 2 * gap  # of each order's policy, which doesn't count before its first visit
    visits: list[Observation] = []
    figures, cumulative = [], 0.0
    while len(visits) < NUM_TRIALS:
        for tried in next_orders(rule, visits, lots)[: NUM_TRIALS - len(visits)]:
            worth[tried] = (worth[tried] + values[tried]) / 2
            visits.append(Observation(tried, float(worth[tried] + trained[tried] + part * drawn(errors)), part))
            cumulative += float(values.max() - values[tried])
            if len(visits) in STOPS:
                figures.append(float(values.max() - values[best_order(rule, visits)]))
    return [*figures, cumulative]


def search_everywhere(rule: str, seed: int) -> list[list[list[list[float]]]]:
    """Search on every landscape through every noise; return `[finished, learning][landscapes][noises][figures]`."""
    return [
        [[search(rule, landscape, noise, gap, seed) for noise in NOISES] for landscape in LANDSCAPES]
        for gap in LEARNING.values()
    ]


def summarise(rule: str, regrets: np.ndarray) -> Row:
    """Return a rule's row; `regrets` are `[seeds, 2, landscapes, noises, figures]`."""
    hard = regrets[:, :, [name != EASY for name in LANDSCAPES]]
    last = regrets[..., len(STOPS) - 1]
    averages = [{name: _score(hard[:, mode, ..., index]) for index, name in enumerate(FIGURES)} for mode in (0, 1)]
    by_landscape = [{name: _score(last[:, mode, index]) for index, name in enumerate(LANDSCAPES)} for mode in (0, 1)]
    return Row(
        rule,
        average=averages[0],
        learning=averages[1],
        by_landscape=by_landscape[0],
        learning_by_landscape=by_landscape[1],
        by_noise={name: _score(hard[:, 0, :, index, len(STOPS) - 1]) for index, name in enumerate(NOISES)},
    )


def run(rules: list[str], seeds: range, num_jobs: int, *, quiet: bool) -> list[Row]:
    """Search with every rule at every seed, on several processes."""
    shape = (len(seeds), len(LEARNING), len(LANDSCAPES), len(NOISES), len(FIGURES))
    regrets = {rule: np.full(shape, np.nan) for rule in rules}
    started_s = time.monotonic()
    with ProcessPoolExecutor(num_jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {
            pool.submit(search_everywhere, rule, seed): (rule, row) for row, seed in enumerate(seeds) for rule in rules
        }
        for num_done, future in enumerate(as_completed(futures), start=1):
            rule, row = futures[future]
            regrets[rule][row] = future.result()
            if not quiet and (num_done % 10 == 0 or num_done == len(futures)):
                spent_s = time.monotonic() - started_s
                left_s = spent_s / num_done * (len(futures) - num_done)
                print(
                    f"{num_done}/{len(futures)} searches of all, {spent_s:.0f} s, {left_s:.0f} s left", file=sys.stderr
                )
    return [summarise(rule, regrets[rule]) for rule in rules]


def main() -> int:
    """Search, print; return the exit status."""
    try:
        options = _parser().parse_args()
        _check(options)
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        rows = run(options.rules, seeds, options.jobs, quiet=options.quiet)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps({"seeds": list(seeds), "trials": NUM_TRIALS, "rows": [asdict(row) for row in rows]}, indent=2))
        return 0
    print(f"{options.seeds} seeds, mean ± standard error; all in standard deviations of the landscape\n")
    _print(f"average over landscapes (but {EASY}) and noises", {row.rule: row.average for row in rows})
    _print("the same, policies go on learning", {row.rule: row.learning for row in rows})
    _print(f"simple regret after {NUM_TRIALS}, by landscape", {row.rule: row.by_landscape for row in rows})
    _print("the same, policies go on learning", {row.rule: row.learning_by_landscape for row in rows})
    _print(f"simple regret after {NUM_TRIALS}, by noise", {row.rule: row.by_noise for row in rows})
    return 0


def _score(regrets: np.ndarray) -> Score:
    by_seed = regrets.reshape(len(regrets), -1).mean(axis=1)  # [seeds], independent of one another
    stderr = by_seed.std(ddof=1) / math.sqrt(len(by_seed)) if len(by_seed) > 1 else 0.0
    return Score(float(by_seed.mean()), float(stderr))


def _print(title: str, table: dict[str, dict[str, Score]]) -> None:
    """Print a table that Markdown can take."""
    columns = list(next(iter(table.values())))
    print(f"| {title} | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for rule, scores in table.items():
        cells = (f"{scores[column].mean:.2f} ± {scores[column].stderr:.2f}" for column in columns)
        print(f"| {rule} | {' | '.join(cells)} |")
    print()


def _parser() -> Parser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=60, help="searches of each kind [60]")
    parser.add_argument("--first-seed", type=int, default=0, help="to look at others than these [0]")
    parser.add_argument("--jobs", type=int, default=min(2, num_cores()), help="processes [2, or the cores if fewer]")
    parser.add_argument(
        "--rules", type=_names, default=list(ALL_RULES), metavar="RULE,...", help="some of those above [all]"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--quiet", action="store_true", help="don't tell how far it is")
    return parser


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(text.split(",")))


def _check(options: argparse.Namespace) -> None:
    if unknown := [rule for rule in options.rules if rule not in ALL_RULES]:
        raise UsageError(f"unknown rule {', '.join(unknown)}: choose from {', '.join(ALL_RULES)}")
    if not 1 <= options.seeds <= 10_000:
        raise UsageError("--seeds is 1 to 10000")
    if options.first_seed < 0:
        raise UsageError("--first-seed is 0 or more")
    if not 1 <= options.jobs <= 256:
        raise UsageError("--jobs is 1 to 256")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main())
