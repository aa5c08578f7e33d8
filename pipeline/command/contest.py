"""`run.py evaluate --protocol contest`: who enters, and what is told of the contest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.command.options import UsageError
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.play.baselines import BASELINES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from pipeline.config import Config
    from pipeline.contest.entry import Entry
    from pipeline.evaluate.results import ScenarioResult
    from pipeline.evaluate.trained import Trained


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `evaluate` the option."""
    parser.add_argument(
        "--protocol",
        choices=("seeded", "contest"),
        default="seeded",
        help="each episode has a seed of its own; or the contest's script: one random.seed, nine scenarios one after "
        "the other, on a generator from which the agent may draw, too [seeded]",
    )


def check(options: argparse.Namespace) -> None:
    """Refuse what the contest's script leaves no choice of.

    Raises:
        UsageError: It is asked for.
    """
    if options.steps is not None or options.red_agents != ",".join(RED_AGENTS):
        raise UsageError("--protocol contest plays all nine scenarios: leave --steps and --red-agents out")
    if getattr(options, "workers", "1") != "1":
        raise UsageError("--protocol contest plays on one generator, in one process: leave --workers out")


def play(
    options: argparse.Namespace, config: Config, trained: Trained | None, num_episodes: int
) -> tuple[ScenarioResult, ...]:
    """Play the contest.

    Raises:
        ContestFailedError: An agent failed.
    """
    from pipeline.cage2.cyborg.env import require_cyborg
    from pipeline.cage2.engine.game import step_games
    from pipeline.collect.methods import game_spec
    from pipeline.evaluate.contest import evaluate_by_contest
    from pipeline.evaluate.progress import progress
    from pipeline.evaluate.scenario import PROTOCOL
    from pipeline.numerics.cache import why_not_kept
    from pipeline.numerics.compiled import must_be_compiled

    if reason := why_not_kept():
        sys.stderr.write(f"note: {reason}\n")
    if config.engine == "cyborg":
        require_cyborg(config.cyborg)
    elif must_be_compiled(step_games):
        sys.stderr.write("note: compiling first, once, about 10 s\n")
    with progress(num_episodes * len(PROTOCOL)) as note_progress:
        enter = _enter(options, config, trained)
        return evaluate_by_contest(enter, game_spec(config), config.seed, num_episodes, note_progress)


def _enter(options: argparse.Namespace, config: Config, trained: Trained | None) -> Callable[[], Entry]:
    from pipeline.contest.entry import Entry
    from pipeline.evaluate.contest import Choosing, Untold

    if trained is not None:
        from pipeline.export.agent import TrainedAgent

        agent = TrainedAgent(trained, greedy=options.greedy, seed=config.seed)
        return lambda: Entry(Untold(agent), draws=False)
    if options.agent in CONTEST_BASELINES:
        return CONTEST_BASELINES[options.agent]
    return lambda: Entry(Choosing(BASELINES[options.agent], config.seed), draws=False)
