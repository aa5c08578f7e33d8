"""`run.py trace`: episodes step by step, to be looked at or written down."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.cage2.facts.spec import EPISODE_STEPS
from pipeline.command import agent as agents
from pipeline.command import game as games
from pipeline.command.options import MAX_EPISODES, MAX_STEPS, UsageError, given_options, make_config, number_of
from pipeline.command.process import FAILED, OK, printing_to_stderr
from pipeline.command.terminal import tell
from pipeline.evaluate.record import describe, trace_header
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.defenders.reference import AgentReference
    from pipeline.evaluate.chosen import Chosen
    from pipeline.evaluate.trained import Trained
    from pipeline.trace.trace import Header, Trace

OPTIONS: tuple[str, ...] = (
    *("episode", "episodes", "steps", "purpose", "visit", "workflow", "greedy", "sampled", "json", "to"),
    *("observation", "agent_arg", "step_timeout"),
    *("seed", "red_agent", "engine", "profile", "cyborg"),  # a run's too, and checked as such
)
PURPOSES: Final = ("comparison", "evaluation", "training")
"""`seeding.Purpose`, by name in lower case."""
DESCRIPTION = """\
Play episodes step by step and show what Blue saw, what it did and how likely
that was, whether it worked, what Red did, what it cost, and which hosts are
under Red; as a table, or as JSON for programs."""
EPILOG = """\
examples:
  python run.py trace logs/tuesday
  python run.py trace logs/tuesday --red-agent RedMeanderAgent --steps 30 --episode 417
  python run.py trace restore --seed 3 --episodes 10 --to restore.jsonl
  python run.py trace logs/tuesday --json | jq '.steps[]?.blue.action'
  python run.py trace logs/tuesday --purpose evaluation --visit 12 --greedy

By default an episode is the one of that number of `run.py evaluate` with the
same --seed, --steps and Red agent: the same steps, to the bit. --purpose names
others, which the run played itself:

  evaluation  that its visits ended with. --visit is the Iteration in
              gp_sampling_log.csv. They are as they were if the policy has not
              been trained since that visit: the last one of its order.
  training    that it was trained on, counted by order from 0. The network and
              the numbers drawn are those of training, but the policy is the
              checkpoint's: weights of earlier updates are not kept. So it
              shows what the policy does now in that game, not what it did.

In Python: pipeline.read_traces("restore.jsonl"). docs/files.md has the keys.
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `trace` its options."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    agents.set_up(parser)
    parser.add_argument("--episode", default="0", metavar="N", help="the first one's number [0]")
    parser.add_argument("--episodes", default="1", metavar="N", help="how many, from there on [1]")
    parser.add_argument("--steps", metavar="N", help=f"of an episode [the run's own, or {EPISODE_STEPS}]")
    parser.add_argument(
        "--purpose",
        default="comparison",
        metavar=f"{{{','.join(PURPOSES)}}}",
        help="whose episodes: see below [comparison]",
    )
    parser.add_argument("--visit", metavar="N", help="with --purpose evaluation: which visit's")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON lines on stdout: a header, then an episode a line")
    form.add_argument("--to", type=Path, metavar="FILE.jsonl", help="the same in a new file")
    games.add_red_agent(parser)
    games.set_up(parser)


def run(options: argparse.Namespace) -> int:
    """Play what the options ask for, and show it.

    Returns:
        The exit code: 0, or 1 if nobody reads on.

    Raises:
        SetupError: There is no such agent, an option doesn't fit, or the file can't be written.
    """
    given = given_options(options)
    first = number_of("--episode", options.episode, MAX_EPISODES, lowest=0)
    num_episodes = number_of("--episodes", options.episodes, MAX_EPISODES)
    num_steps = None if options.steps is None else number_of("--steps", options.steps, MAX_STEPS)
    workflow_id = agents.workflow_id_of(options.workflow)
    visit = _visit(options)
    # mistakes are told before anything is imported
    reference = agents.reference_of(options, make_config(given).engine)
    if options.step_timeout is not None:
        raise UsageError("--step-timeout is for evaluations: this plays in this process, and waits for its agent")
    _check_purpose(options, given, is_run=reference is None and options.agent not in agents.BUILT_IN)

    trained = None
    if reference is None and options.agent not in agents.BUILT_IN:
        from pipeline.evaluate.trained import load_trained

        trained = load_trained(Path(options.agent), workflow_id)
        if options.purpose != "comparison" or "red_agent" not in given:  # then it is the run's own
            from pipeline.run.attackers import require_told

            require_told(trained.run_dir, trained.config, given.get("red_agent"))
    indices = range(first, first + num_episodes)
    from pipeline.evaluate.chosen import compared, of_the_run
    from pipeline.seeding import Purpose

    if trained is None or options.purpose == "comparison":
        episodes = compared(games.game_config(given, trained), num_steps, indices)
    else:
        config = make_config({**what_results_depend_on(trained.config), **given})
        episodes = of_the_run(config, trained.workflow_id, Purpose[options.purpose.upper()], indices, visit)
    agent = reference or trained or options.agent
    forms: list[str] = []

    def header() -> Header:
        told = describe(agent, greedy=options.greedy, form=next(iter(forms), None))
        return trace_header(told, episodes.config, episodes.purpose)

    try:
        _write(options, header, _play(agent, episodes, forms.append, greedy=options.greedy))
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has seen enough; Python would complain of what is left once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return OK


def _visit(options: argparse.Namespace) -> int:
    if options.purpose not in PURPOSES:
        raise UsageError(f"--purpose {options.purpose!r:.60}: choose of {', '.join(PURPOSES)}")
    if (options.purpose == "evaluation") != (options.visit is not None):
        raise UsageError("--purpose evaluation and --visit go together: that is an Iteration in gp_sampling_log.csv")
    return 0 if options.visit is None else number_of("--visit", options.visit, MAX_EPISODES, lowest=0)


def _check_purpose(options: argparse.Namespace, given: dict[str, Any], *, is_run: bool) -> None:
    """Check that nothing is changed about episodes that a run has played itself."""
    if options.purpose == "comparison":
        games.require_one_red_agent(given)
        return
    if not is_run:
        raise UsageError(f"--purpose {options.purpose} is for runs: leave it out, {options.agent} has none")
    others: list[str] = [name for name in ("profile", "seed") if name in given]
    if options.steps is not None:
        others.append("steps")
    if others:
        flag = f"--{others[0].replace('_', '-')}"
        raise UsageError(f"{flag} is the run's own with --purpose {options.purpose}: leave it out")


def _play(
    agent: Trained | AgentReference | str, episodes: Chosen, note_form: Callable[[str], None], *, greedy: bool
) -> Iterator[Trace]:
    """Yield the episodes, each when it has been played."""
    from pipeline.evaluate.chosen import player_of

    player = player_of(agent, greedy=greedy)
    if episodes.must_compile(player):
        tell("note: compiling first, once, about 10 s")
    played = episodes.play(player, note_form)
    while True:
        with printing_to_stderr():
            trace = next(played, None)
        if trace is None:
            return
        yield trace


def _write(options: argparse.Namespace, header: Callable[[], Header], traces: Iterator[Trace]) -> None:
    """Show traces as they come, or write them down; the header tells more when the first one is there."""
    from pipeline.trace.trace import as_line

    if options.to is not None:
        from pipeline.trace.file import TraceFile

        with TraceFile(options.to, header) as file:
            num_written = 0
            for trace in traces:
                file.write(as_line(trace))
                num_written += 1
        sys.stdout.write(f"{options.to}: {num_written:,} episode{'' if num_written == 1 else 's'}\n")
    elif options.json:
        for place, trace in enumerate(traces):
            sys.stdout.write(("" if place else as_line(header())) + as_line(trace))
    else:
        _print(header(), traces)


def _print(header: Header, traces: Iterator[Trace]) -> None:
    from rich.console import Console

    from pipeline.trace.table import WIDTH, as_table, headlines

    console = Console(highlight=False, markup=False)  # names of folders may look like markup
    if not console.is_terminal:
        console.width = WIDTH
    for line in headlines(header):
        console.print(line, soft_wrap=True)
    for trace in traces:
        console.print(as_table(trace))
