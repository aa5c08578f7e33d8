"""What each choice of the recipe is worth: episodes until a policy is good, and how good it gets.

python bench/learning.py
python bench/learning.py --rows plain,memory-merged --red-agents RedMeanderAgent --seeds 10

Every row is the default recipe, in the plain form (52 values, 145 actions) and with updates of 32 episodes, with
something changed; each of its seeds is a run of its own, of one policy on one workflow
and without the alignment bonus, so that nothing but the env reward is learned. "-50 after" is when the mean of the last
500 episodes of training (or a few more: whole updates) first came to -50: the median over the seeds, the lowest and
the highest, and how many never came to it if some didn't.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pipeline.config import Config, RedAgent
from pipeline.machine import num_cores
from pipeline.ppo.recipe import DEFAULT, PROTOTYPE, Recipe
from pipeline.run.run import Run
from pipeline.types import UpdateResult, WorkflowFinished

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.types import Event

THRESHOLDS = (-100.0, -50.0, -30.0, -20.0, -18.24)
"""The last is what the research prototype's best run came to, after 27,296 episodes."""
WINDOW = 500
"""Episodes that a mean is taken over."""
ORDER = "enterprise -> op_server -> op_host -> user -> defender"
EVALUATION_EPISODES = 1000


@dataclass(frozen=True)
class Variant:
    """The default recipe in the plain form, with something changed."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the run's configuration."""
    recipe: Recipe = DEFAULT
    """Its hyper-parameters; few of these recipes have a name, and some differ in what users can't set."""
    episodes: int | None = None
    """Of its runs, which the learning rate anneals over, if not as many as asked for."""


PLAIN = {"observation_memory": False, "actions": "all", "episodes_per_update": 32}
MEMORY_MERGED = {"observation_memory": True, "actions": "merged"}
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "plain": Variant(),
        "memory": Variant({"observation_memory": True}),
        "merged": Variant({"actions": "merged"}),
        "memory-merged": Variant(MEMORY_MERGED),
        "memory-merged-quick": Variant(
            {**MEMORY_MERGED, "episodes_per_update": 16}, replace(DEFAULT, num_epochs=8, gae_lambda=0.9), 3000
        ),
        "prototype": Variant({"policy_lag": 0}, PROTOTYPE),
        "returns": Variant(recipe=replace(DEFAULT, estimator="returns")),
        "gae-lambda-0.9": Variant(recipe=replace(DEFAULT, gae_lambda=0.9)),
        "gae-lambda-0.98": Variant(recipe=replace(DEFAULT, gae_lambda=0.98)),
        "epochs-4": Variant(recipe=replace(DEFAULT, num_epochs=4)),
        "epochs-8": Variant(recipe=replace(DEFAULT, num_epochs=8)),
        "epochs-12": Variant(recipe=replace(DEFAULT, num_epochs=12)),
        "minibatch-200": Variant(recipe=replace(DEFAULT, minibatch_size=200)),
        "minibatch-800": Variant(recipe=replace(DEFAULT, minibatch_size=800)),
        "entropy-0": Variant(recipe=replace(DEFAULT, ent_coef=0.0, final_ent_coef=0.0)),
        "entropy-0.01": Variant(recipe=replace(DEFAULT, ent_coef=0.01, final_ent_coef=0.01)),
        "rate-5e-4": Variant(recipe=replace(DEFAULT, learning_rate=5e-4)),
        "rate-2e-3": Variant(recipe=replace(DEFAULT, learning_rate=2e-3)),
        "not-annealed": Variant(recipe=replace(DEFAULT, final_learning_rate=1e-3)),
        "batch-16": Variant({"episodes_per_update": 16}),
        "batch-64": Variant({"episodes_per_update": 64}),
        "batch-200": Variant({"episodes_per_update": 200}),
        "lag-0": Variant({"policy_lag": 0}),
        "lag-4": Variant({"policy_lag": 4}),
    }
)


@dataclass(frozen=True)
class Outcome:
    """One run."""

    row: str
    red_agent: str
    seed: int
    reached_after: tuple[int | None, ...]
    """Episodes, for each of `THRESHOLDS`; None if it never was."""
    last: float
    """Mean env reward of the last `WINDOW` episodes of training."""
    sampled: float
    """Mean env reward of fresh episodes, after training."""
    greedy: float
    """The same, with the likeliest action at each step."""


def train(row: str, red_agent: str, seed: int, num_episodes: int) -> Outcome:
    """Train one policy, in this process."""
    variant = VARIANTS[row]
    with tempfile.TemporaryDirectory(prefix="cage2-learning-") as folder:
        config = Config(
            workflow=ORDER,
            red_agent=red_agent,
            seed=seed,
            total_episodes=variant.episodes or num_episodes,
            alignment_lambda=0,
            compliance_threshold=0,
            evaluation_episodes=EVALUATION_EPISODES,
            collector="sequential",
            device="cpu",
            log_dir=Path(folder),
            **{**PLAIN, **variant.options},
        )
        return outcome(row, config, asyncio.run(follow(config, variant.recipe)))


async def follow(config: Config, recipe: Recipe) -> list[Event]:
    """Train a run by a recipe, whether it has a name or not; return what happened.

    A `Pipeline` takes it from the configuration, so that its run can be gone on with. Nobody goes on with these.
    """
    run = await Run.start(config, recipe, None)
    try:
        return [event async for event in run.events()]
    finally:
        await run.end()
        await run.close()


def outcome(row: str, config: Config, events: list[Event]) -> Outcome:
    """Return what became of a run, from all that happened in it."""
    rewards = [event.env_reward.mean for event in events if isinstance(event, UpdateResult)]
    score = next(event.result.score for event in events if isinstance(event, WorkflowFinished))
    length = math.ceil(WINDOW / config.episodes_per_update)
    means = [statistics.fmean(rewards[end - length : end]) for end in range(length, len(rewards) + 1)]
    first = [next((i for i, mean in enumerate(means) if mean >= threshold), None) for threshold in THRESHOLDS]
    if score.greedy_env_reward is None:
        raise RuntimeError("the run ended without an evaluation")
    return Outcome(
        row=row,
        red_agent=config.red_agent,
        seed=config.seed,
        reached_after=tuple(None if i is None else (i + length) * config.episodes_per_update for i in first),
        last=means[-1],
        sampled=score.env_reward.mean,
        greedy=score.greedy_env_reward.mean,
    )


def main() -> int:
    """Train all, print the table."""
    options = _options()
    jobs = [
        (row, red_agent, seed)
        for seed in range(options.seeds)
        for red_agent in options.red_agents
        for row in options.rows
    ]
    outcomes: list[Outcome] = []
    console = Console(stderr=True)
    with (
        ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool,
        Progress(console=console, transient=True) as progress,
    ):
        bar = progress.add_task("runs", total=len(jobs))
        running = {pool.submit(train, *job, options.episodes): job for job in jobs}
        try:
            for done in as_completed(running):
                outcomes.append(done.result())
                progress.advance(bar)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    outcomes.sort(key=lambda each: (options.red_agents.index(each.red_agent), options.rows.index(each.row), each.seed))
    if options.json:
        json.dump({"episodes": options.episodes, "runs": [asdict(each) for each in outcomes]}, sys.stdout, indent=1)
        print()
    else:
        for red_agent in options.red_agents:
            Console().print(_table(red_agent, options.rows, [each for each in outcomes if each.red_agent == red_agent]))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows", default=",".join(VARIANTS), help="which rows, by commas [all]: " + ", ".join(VARIANTS)
    )
    parser.add_argument("--red-agents", default="B_lineAgent", help="who attacks, by commas [B_lineAgent]")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="runs of each row [5]")
    parser.add_argument("--episodes", type=int, default=6000, metavar="N", help="of each run; the rate anneals [6000]")
    parser.add_argument("--jobs", type=int, default=num_cores(), metavar="N", help="runs at a time [one per core]")
    parser.add_argument("--json", action="store_true", help="print one JSON object, every run in it")
    options = parser.parse_args()
    options.rows, options.red_agents = options.rows.split(","), options.red_agents.split(",")
    for what, given, known in (
        ("row", options.rows, list(VARIANTS)),
        ("Red agent", options.red_agents, list(get_args(RedAgent))),
    ):
        for name in given:
            if name not in known:
                parser.error(f"no such {what}: {name!r}; choose of {', '.join(known)}")
    largest = max(VARIANTS[row].options.get("episodes_per_update", 32) for row in options.rows)
    if options.seeds < 1 or options.jobs < 1 or options.episodes < WINDOW + largest:
        parser.error(f"--seeds and --jobs take 1 or more, --episodes {WINDOW + largest} or more")
    return options


def _table(red_agent: str, rows: list[str], outcomes: list[Outcome]) -> Table:
    table = Table(title=f"{red_agent}: episodes until the mean of the last {WINDOW} was ...")
    table.add_column("row")
    for threshold in THRESHOLDS:
        table.add_column(f"{threshold:g}", justify="right")
    for name in (f"last {WINDOW}", "fresh", "fresh, greedy"):
        table.add_column(name, justify="right")
    for row in rows:
        runs = [each for each in outcomes if each.row == row]
        cells = [_after([run.reached_after[i] for run in runs]) for i in range(len(THRESHOLDS))]
        means = [_mean([getattr(run, name) for run in runs]) for name in ("last", "sampled", "greedy")]
        table.add_row(row, *cells, *means)
    return table


def _after(episodes: list[int | None]) -> str:
    """Return median, lowest and highest; a run that never came there counts as later than all."""
    reached = sorted(each for each in episodes if each is not None)
    num_missed = len(episodes) - len(reached)
    ranked: list[float] = [*reached, *[math.inf] * num_missed]
    median = statistics.median_low(ranked) if len(ranked) % 2 else statistics.median_high(ranked)
    missed = f", {num_missed} never" if num_missed else ""
    if not reached:
        return "never"
    middle = "-" if math.isinf(median) else f"{median:,.0f}"
    return f"{middle} ({reached[0]:,} to {reached[-1]:,}{missed})"


def _mean(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.1f}{spread}"


if __name__ == "__main__":
    sys.exit(main())
