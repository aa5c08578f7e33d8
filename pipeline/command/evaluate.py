"""`run.py evaluate`: its options, what they mean, and what is told if they don't."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cage2.attackers.reference import is_reference
from pipeline.cage2.facts.spec import EPISODE_STEPS, RED_AGENTS
from pipeline.command import agent as agents
from pipeline.command import contest
from pipeline.command import game as games
from pipeline.command.options import MAX_EPISODES, MAX_STEPS, UsageError, given_options, make_config, number_of
from pipeline.command.process import OK, run_to_result
from pipeline.contest.scenarios import LENGTHS
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.record import describe, make_report, trace_header
from pipeline.evaluate.scenario import Scenario
from pipeline.machine import num_cores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.config import Config
    from pipeline.evaluate.report import Report
    from pipeline.evaluate.results import ScenarioResult
    from pipeline.evaluate.trained import Trained
    from pipeline.trace.trace import Header

OPTIONS: tuple[str, ...] = (
    *("protocol", "episodes", "steps", "red_agents", "workflow", "greedy", "sampled", "json", "trace"),
    *("observation", "agent_arg", "step_timeout"),
    *("engine", "profile", "cyborg", "seed", "workers"),  # a run's too, and checked as such
)
DESCRIPTION = """\
Evaluate an agent as CAGE-2 does: 30, 50 and 100 steps against B_lineAgent,
RedMeanderAgent and SleepAgent, raw environment reward; the total score is the
sum of the nine means."""
EPILOG = """\
examples:
  python run.py evaluate logs/tuesday
  python run.py evaluate logs/tuesday --greedy
  python run.py evaluate restore --profile leaderboard
  python run.py evaluate my_agent.py:Agent --agent-arg depth=3
  python run.py evaluate ppo_model.zip --greedy
  python run.py evaluate random --engine cyborg --episodes 100 --steps 30,100
  python run.py evaluate restore --red-agents my_red.py:Mine
  python run.py evaluate logs/tuesday --json > tuesday.json
  python run.py evaluate Sleep --protocol contest --seed 153
  python run.py evaluate logs/tuesday --episodes 20 --trace tuesday.jsonl

random takes each of the 145 actions alike, sleep none; restore restores the
first host whose state in Blue's table isn't clean. BlueReactRestore,
BlueReactRemove, Sleep and Random are the contest's own, as they were run for
its leaderboard (BlueReactRestore, blindly, for -823.89): docs/evaluation.md.

--protocol contest prints what CAGE-2's evaluation.py prints after
random.seed(--seed), digit by digit: docs/referee.md.

An agent's file is code, and a model's zip file holds pickled objects: both are
run, with your rights. docs/referee.md says what forms an agent may have.

The same arguments give the same numbers, to the bit, on either engine and with
any number of workers.
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `evaluate` its options."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    agents.set_up(parser)
    contest.set_up(parser)
    parser.add_argument("--episodes", default="1000", metavar="N", help="episodes of each scenario [1000]")
    parser.add_argument(
        "--steps",
        metavar="N,...",
        help="lengths of an episode [30,50,100; of a run with other --episode-steps than 100, those]",
    )
    parser.add_argument(
        "--red-agents",
        default=_joined(RED_AGENTS),
        metavar="NAME,...",
        help=f"who attacks: your own too, module:Name or path/to/file.py:Name [{_joined(RED_AGENTS)}]",
    )
    parser.add_argument("--json", action="store_true", help="print JSON on stdout, and nothing else there")
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE.jsonl",
        help="write down every step of every episode in a new file; the numbers are the same, but a core plays about "
        "3,600 steps a second then instead of 300,000, and a step takes 1.4 kB (run.py trace --help)",
    )
    games.set_up(parser)
    parser.add_argument(
        "--workers",
        metavar="N",
        default=argparse.SUPPRESS,
        help="processes that play [one per core, where that is faster]",
    )


def run(options: argparse.Namespace) -> int:
    """Evaluate what the options ask for, and print it.

    Returns:
        The exit code, 0.

    Raises:
        SetupError: There is no such agent, or an option doesn't fit.
    """
    given = given_options(options)
    num_episodes = number_of("--episodes", options.episodes, MAX_EPISODES)
    steps = _joined(LENGTHS) if options.steps is None else options.steps
    lengths = [number_of("--steps", text, MAX_STEPS) for text in _listed("--steps", steps)]
    red_agents = [_red_agent(name) for name in _listed("--red-agents", options.red_agents)]
    workflow_id = agents.workflow_id_of(options.workflow)
    config = make_config(given)  # mistakes are told before anything is imported
    if own := list(filter(is_reference, red_agents)):
        from pipeline.run.attackers import with_attackers

        for name in own:
            with_attackers(config.model_copy(update={"red_agent": name}))
    reference = agents.reference_of(options, config.engine)
    if options.protocol == "contest":
        contest.check(options)

    trained = None
    if reference is None and options.agent not in agents.BUILT_IN:
        from pipeline.evaluate.trained import load_trained

        trained = load_trained(Path(options.agent), workflow_id)
        if options.steps is None and trained.config.episode_steps != EPISODE_STEPS:
            lengths = [trained.config.episode_steps]
    config, agent = games.game_config(given, trained), reference or trained or options.agent
    if options.protocol == "contest":
        results, form = contest.play(options, config, agent, num_episodes)
    else:
        scenarios = tuple(Scenario(red_agent, steps) for steps in lengths for red_agent in red_agents)
        results, form = _play(options, config, agent, scenarios, num_episodes)
    told = describe(agent, greedy=options.greedy, form=form)
    _print(make_report(told, config, num_episodes, results, options.protocol), as_json=options.json)
    return OK


def _play(
    options: argparse.Namespace,
    config: Config,
    agent: Trained | AgentReference | str,
    scenarios: tuple[Scenario, ...],
    num_episodes: int,
) -> tuple[tuple[ScenarioResult, ...], str | None]:
    """Return what came of each scenario, and which form the agent has that others wrote."""
    from pipeline.evaluate.chosen import player_of
    from pipeline.evaluate.evaluation import Request, evaluate, must_compile, useful_workers
    from pipeline.evaluate.pooled import evaluate_in_pool
    from pipeline.evaluate.progress import progress
    from pipeline.numerics.cache import why_not_kept
    from pipeline.seeding import Purpose
    from pipeline.trace.file import written_to

    if reason := why_not_kept():
        sys.stderr.write(f"note: {reason}\n")
    player, game = player_of(agent, greedy=options.greedy), games.game_of(config)
    request = Request(player, game, scenarios, num_episodes, config.seed, options.trace is not None)
    num_workers = config.workers if "workers" in options else useful_workers(request, num_cores())
    num_workers = min(num_workers, sum(map(request.num_tasks, scenarios)))
    if must_compile(request):
        sys.stderr.write("note: compiling first, once, about 10 s\n")
    forms: list[str] = []

    def header() -> Header:
        told = describe(agent, greedy=options.greedy, form=next(iter(forms), None))
        return trace_header(told, config, Purpose.COMPARISON)

    with written_to(options.trace, header) as write_traces, progress(num_episodes * len(scenarios)) as note_progress:
        if num_workers == 1 and not isinstance(agent, AgentReference):
            # without a loop: Ctrl-C ends the episode that is being played
            results = evaluate(request, note_progress, write_traces)
        else:
            results = run_to_result(evaluate_in_pool(request, num_workers, note_progress, forms.append, write_traces))
    return results, next(iter(forms), None)


def _print(report: Report, *, as_json: bool) -> None:
    from rich.console import Console

    from pipeline.evaluate import report as reports

    if as_json:
        sys.stdout.write(json.dumps(reports.as_json(report), indent=2) + "\n")
    else:
        # names of folders may look like markup
        reports.print_report(report, Console(highlight=False, markup=False, soft_wrap=True))


def _joined(items: Iterable[object]) -> str:
    return ",".join(map(str, items))


def _listed(flag: str, text: str) -> list[str]:
    items = [item.strip() for item in text.split(",")]
    if len(set(items)) < len(items):
        raise UsageError(f"{flag} {text!r:.60}: name each once")
    return items


def _red_agent(name: str) -> str:
    if name in RED_AGENTS or is_reference(name):
        return name
    near = difflib.get_close_matches(name, RED_AGENTS, n=1)
    advice = f"did you mean {near[0]}?" if near else f"choose of {', '.join(RED_AGENTS)}"
    raise UsageError(f"--red-agents {name!r:.60}: {advice}")
