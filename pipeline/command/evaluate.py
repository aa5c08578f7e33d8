"""`run.py evaluate`: its options, what they mean, and what is told if they don't."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts.order_names import UnknownOrderError, order_name, parse_order
from pipeline.cage2.facts.spec import EPISODE_STEPS, RED_AGENTS
from pipeline.command.options import UsageError, given_options, make_config
from pipeline.command.process import OK, loop_factory
from pipeline.evaluate.scenario import LENGTHS, Scenario
from pipeline.machine import num_cores, package_version
from pipeline.play.baselines import BASELINES
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.config import Config
    from pipeline.evaluate.report import AgentDescription, Report
    from pipeline.evaluate.results import ScenarioResult
    from pipeline.evaluate.trained import Trained
    from pipeline.seeding import Purpose
    from pipeline.trace.trace import Header

OPTIONS: tuple[str, ...] = (
    *("episodes", "steps", "red_agents", "workflow", "greedy", "sampled", "json", "trace"),
    *("engine", "profile", "cyborg", "seed", "workers"),  # a run's too, and checked as such
)
MAX_EPISODES, MAX_STEPS = 1_000_000, 10_000
NOT_INSTALLED = "(not installed)"
DESCRIPTION = """\
Evaluate an agent as CAGE-2 does: 30, 50 and 100 steps against B_lineAgent,
RedMeanderAgent and SleepAgent, raw environment reward; the total score is the
sum of the nine means."""
EPILOG = """\
examples:
  python run.py evaluate logs/tuesday
  python run.py evaluate logs/tuesday --greedy
  python run.py evaluate restore --profile leaderboard
  python run.py evaluate random --engine cyborg --episodes 100 --steps 30,100
  python run.py evaluate logs/tuesday --json > tuesday.json
  python run.py evaluate logs/tuesday --episodes 20 --trace tuesday.jsonl

random takes each of the 145 actions alike, sleep none; restore restores the
first host whose state in Blue's table isn't clean. It is not the leaderboard's
"Blue React Restore" (-823.89), which sees less: docs/evaluation.md.

The same arguments give the same numbers, to the bit, on either engine and with
any number of workers.
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `evaluate` its options."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "agent",
        metavar="RUN|CHECKPOINT|random|sleep|restore",
        help="a run's folder, e.g. logs/tuesday, its checkpoint, or one of the agents that learn nothing "
        "(a folder of such a name: ./random)",
    )
    parser.add_argument("--episodes", default="1000", metavar="N", help="episodes of each scenario [1000]")
    parser.add_argument(
        "--steps",
        metavar="N,...",
        help="lengths of an episode [30,50,100; of a run with other --episode-steps than 100, those]",
    )
    parser.add_argument(
        "--red-agents", default=_joined(RED_AGENTS), metavar="NAME,...", help=f"who attacks [{_joined(RED_AGENTS)}]"
    )
    parser.add_argument(
        "--workflow", metavar="ORDER", help="whose policy to take, 'user -> defender -> ...'; by default the run's best"
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--sampled", action="store_true", help="a policy draws its actions, as it does in training (the default)"
    )
    choice.add_argument("--greedy", action="store_true", help="a policy takes its likeliest action each time")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout, and nothing else there")
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE.jsonl",
        help="write down every step of every episode in a new file; the numbers are the same, but a core plays about "
        "3,600 steps a second then instead of 300,000, and a step takes 1.4 kB (run.py trace --help)",
    )
    for name, metavar, text in (
        ("engine", "{fast,cyborg}", "what plays the game: the numbers are the same, to the bit [fast]"),
        ("profile", "{head,leaderboard}", "which state of the game [the run's own, or head]"),
        ("cyborg", "{csle,upstream}", "which CybORG [the run's own, or csle]"),
        ("seed", "N", "of games and actions: the same for every agent, and apart from those of training [0]"),
        ("workers", "N", "processes that play [one per core, where that is faster]"),
    ):
        parser.add_argument(f"--{name}", metavar=metavar, default=argparse.SUPPRESS, help=text)


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
    workflow_id = workflow_id_of(options.workflow)
    make_config(given)  # mistakes are told before anything is imported
    check_agent(options)

    trained = None
    if options.agent not in BASELINES:
        from pipeline.evaluate.trained import load_trained

        trained = load_trained(Path(options.agent), workflow_id)
        if options.steps is None and trained.config.episode_steps != EPISODE_STEPS:
            lengths = [trained.config.episode_steps]
    scenarios = tuple(Scenario(red_agent, steps) for steps in lengths for red_agent in red_agents)
    _print(_play(options, game_config(given, trained), trained, scenarios, num_episodes), as_json=options.json)
    return OK


def _play(
    options: argparse.Namespace,
    config: Config,
    trained: Trained | None,
    scenarios: tuple[Scenario, ...],
    num_episodes: int,
) -> Report:
    from pipeline.cage2.cyborg.env import require_cyborg
    from pipeline.collect.methods import game_spec
    from pipeline.evaluate.evaluation import Request, evaluate, must_compile, useful_workers
    from pipeline.evaluate.play import Policy
    from pipeline.evaluate.pooled import evaluate_in_pool
    from pipeline.evaluate.progress import progress
    from pipeline.numerics.cache import why_not_kept
    from pipeline.seeding import Purpose
    from pipeline.trace.file import written_to

    agent_description = describe(options.agent, trained, greedy=options.greedy)
    if reason := why_not_kept():
        sys.stderr.write(f"note: {reason}\n")
    if config.engine == "cyborg":
        require_cyborg(config.cyborg)
    agent = Policy(trained.weights, trained.workflow_id, options.greedy) if trained else options.agent
    request = Request(agent, game_spec(config), scenarios, num_episodes, config.seed, options.trace is not None)
    num_workers = config.workers if "workers" in options else useful_workers(request, num_cores())
    num_workers = min(num_workers, sum(map(request.num_tasks, scenarios)))
    if must_compile(request):
        sys.stderr.write("note: compiling first, once, about 10 s\n")
    header = trace_header(agent_description, config, Purpose.COMPARISON)
    with written_to(options.trace, header) as write_traces, progress(num_episodes * len(scenarios)) as note_progress:
        if num_workers == 1:
            # without a loop: Ctrl-C ends the episode that is being played
            results = evaluate(request, note_progress, write_traces)
        else:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:  # which Ctrl-C cancels
                results = runner.run(evaluate_in_pool(request, num_workers, note_progress, write_traces))
    return make_report(agent_description, config, num_episodes, results)


def make_report(
    agent: AgentDescription, config: Config, num_episodes: int, results: tuple[ScenarioResult, ...]
) -> Report:
    """Return what is told of an evaluation: who played what, with which versions, and what came of it."""
    from pipeline.evaluate.report import Report

    return Report(
        agent=agent,
        engine=config.engine,
        profile=config.profile,
        cyborg=cyborg_name(config.cyborg),
        version=package_version("cage2-pipeline") or NOT_INSTALLED,
        seed=config.seed,
        num_episodes=num_episodes,
        results=results,
    )


def trace_header(agent: AgentDescription, config: Config, purpose: Purpose) -> Header:
    """Return what a file of traces is headed by."""
    from pipeline.trace.trace import FORMAT, Header

    return Header(
        trace_format=FORMAT,
        agent={name: value for name, value in asdict(agent).items() if value is not None},
        game={"engine": config.engine, "profile": config.profile, "cyborg": cyborg_name(config.cyborg)},
        version=package_version("cage2-pipeline") or NOT_INSTALLED,
        purpose=purpose.name.lower(),
        seed=config.seed,
    )


def game_config(given: dict[str, Any], trained: Trained | None) -> Config:
    """Return what is played: the run's game, with its interface and its rule of compliance, as far as not told."""
    if trained is None:
        return make_config(given)
    return make_config({**what_results_depend_on(trained.config), "seed": 0, **given})


def describe(name: str, trained: Trained | None, *, greedy: bool) -> AgentDescription:
    """Return who plays, for the record."""
    from pipeline.evaluate.report import AgentDescription

    if trained is None:
        return AgentDescription(name)
    return AgentDescription(
        name="policy",
        run=str(trained.run_dir),
        workflow_id=trained.workflow_id,
        workflow_order=order_name(trained.workflow_id),
        chosen=trained.reason,
        actions="greedy" if greedy else "sampled",
        num_updates=trained.num_updates,
        num_episodes=trained.num_episodes,
        trained_against=trained.config.red_agent,
        trained_on=trained.config.profile,
        trained_steps=trained.config.episode_steps,
    )


def _print(report: Report, *, as_json: bool) -> None:
    from rich.console import Console

    from pipeline.evaluate import report as reports

    if as_json:
        sys.stdout.write(json.dumps(reports.as_json(report), indent=2) + "\n")
    else:
        # names of folders may look like markup
        reports.print_report(report, Console(highlight=False, markup=False, soft_wrap=True))


def check_agent(options: argparse.Namespace) -> None:
    """Check that there may be such an agent, and that it has a use for what is asked of it.

    Raises:
        UsageError: It can't be.
    """
    if options.agent in BASELINES:
        given = [f"--{name}" for name in ("workflow", "greedy", "sampled") if getattr(options, name)]
        if given:
            raise UsageError(f"{given[0]} is for policies: leave it out, {options.agent} has no use for it")
    elif not _exists(Path(options.agent)):
        near = difflib.get_close_matches(options.agent, BASELINES, n=1)
        advice = f"did you mean {near[0]}?" if near else f"give one like logs/tuesday, or {', '.join(BASELINES)}"
        raise UsageError(f"there is no run {options.agent!r:.60}: {advice}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long a name, say
        return False


def workflow_id_of(text: str | None) -> int | None:
    """Return the order that `--workflow` names, if it is given.

    Raises:
        UsageError: There is no such order.
    """
    try:
        return None if text is None else parse_order(text)
    except UnknownOrderError as error:
        raise UsageError(f"--workflow {error}") from None


def _joined(items: Iterable[object]) -> str:
    return ",".join(map(str, items))


def _listed(flag: str, text: str) -> list[str]:
    items = [item.strip() for item in text.split(",")]
    if len(set(items)) < len(items):
        raise UsageError(f"{flag} {text!r:.60}: name each once")
    return items


def number_of(flag: str, text: str, highest: int, lowest: int = 1) -> int:
    """Return the number that an option gives.

    Raises:
        UsageError: It is none from the lowest to the highest.
    """
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(highest))
    if not (is_number and lowest <= int(text) <= highest):
        raise UsageError(f"{flag} {text!r:.60}: must be a whole number from {lowest} to {highest}")
    return int(text)


def _red_agent(name: str) -> str:
    if name in RED_AGENTS:
        return name
    near = difflib.get_close_matches(name, RED_AGENTS, n=1)
    advice = f"did you mean {near[0]}?" if near else f"choose of {', '.join(RED_AGENTS)}"
    raise UsageError(f"--red-agents {name!r:.60}: {advice}")


def cyborg_name(package: str) -> str:
    """Return the name and version of the CybORG that a configuration names."""
    name = {"csle": "csle-cyborg", "upstream": "CybORG"}[package]
    return f"{name} {package_version(name) or NOT_INSTALLED}"
