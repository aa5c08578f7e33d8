"""`run.py evaluate --protocol contest`: who enters, and what is told of the contest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.command.game import game_of
from pipeline.command.options import UsageError
from pipeline.command.process import printing_to_stderr
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.defenders.reference import AgentReference
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
    if options.observation not in (None, "stock"):
        raise UsageError("--protocol contest shows what the contest's script shows: leave --observation out")
    if options.trace is not None:
        raise UsageError("--protocol contest writes no traces: leave --trace out")
    if options.step_timeout is not None:
        raise UsageError("--protocol contest plays in this process, and waits for its agent: leave --step-timeout out")


def play(
    options: argparse.Namespace, config: Config, agent: Trained | AgentReference | str, num_episodes: int
) -> tuple[tuple[ScenarioResult, ...], str | None]:
    """Play the contest.

    Returns:
        What came of each scenario, and which form the agent has that others wrote.

    Raises:
        SetupError: Such an agent can't be made.
        AgentRaisedError: Its code raised as it was made.
        ContestFailedError: An agent failed.
    """
    from pipeline.cage2.engine.game import step_games
    from pipeline.evaluate.contest import evaluate_by_contest
    from pipeline.evaluate.progress import progress
    from pipeline.evaluate.scenario import PROTOCOL
    from pipeline.numerics.cache import why_not_kept
    from pipeline.numerics.compiled import must_be_compiled

    if reason := why_not_kept():
        sys.stderr.write(f"note: {reason}\n")
    game = game_of(config)
    if game.engine == "fast" and must_be_compiled(step_games):
        sys.stderr.write("note: compiling first, once, about 10 s\n")
    forms: list[str] = []
    enter = _enter(options, config, agent, forms)
    with progress(num_episodes * len(PROTOCOL)) as note_progress, printing_to_stderr():
        results = evaluate_by_contest(enter, game, config.seed, num_episodes, note_progress)
    return results, next(iter(forms), None)


def _enter(
    options: argparse.Namespace, config: Config, agent: Trained | AgentReference | str, forms: list[str]
) -> Callable[[], Entry]:
    from pipeline.contest.entry import Entry
    from pipeline.evaluate.contest import Choosing, Entrant, Untold

    if isinstance(agent, AgentReference):

        def enter() -> Entry:
            entrant = Entrant(agent, config.seed)
            forms.append(entrant.form)
            return Entry(entrant)

        return enter
    if not isinstance(agent, str):
        from pipeline.export.agent import TrainedAgent

        trained = TrainedAgent(agent, greedy=options.greedy, seed=config.seed)
        return lambda: Entry(Untold(trained), draws=False)
    if agent in CONTEST_BASELINES:
        return CONTEST_BASELINES[agent]
    return lambda: Entry(Choosing(BASELINES[agent], config.seed), draws=False)
