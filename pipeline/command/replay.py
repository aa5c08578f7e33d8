"""`run.py replay`: an episode to be looked at, as a page, an animation, or in the terminal."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.cage2.facts.spec import EPISODE_STEPS, MAX_EPISODE_STEPS
from pipeline.command import agent as agents
from pipeline.command import game as games
from pipeline.command.options import MAX_EPISODES, UsageError, given_options, make_config, number_of
from pipeline.command.process import OK, printing_to_stderr
from pipeline.command.terminal import tell
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config import Config
    from pipeline.defenders.reference import AgentReference
    from pipeline.evaluate.trained import Trained
    from pipeline.replay.asked import Asked
    from pipeline.replay.played import Played

_OF_THE_GAME: Final = ("seed", "red_agent", "engine", "profile", "cyborg")
"""A run's too, and checked as such."""
OPTIONS: tuple[str, ...] = (
    *("episode", "worst_of", "visit", "update", "row", "steps", "workflow", "greedy", "sampled"),
    *("fork", "html", "gif", "ansi", "no_browser", "observation", "agent_arg", "step_timeout"),
    *_OF_THE_GAME,
)
TRACE_SUFFIX: Final = ".jsonl"
_WORST_OF: Final = "1000"
DESCRIPTION = """\
Show an episode: the network with what Red holds and what Blue takes it for, a
time line of both sides' moves, rewards and verdicts, what the policy thought and
saw, and what another choice would have come to. AGENT may also be a file of
traces, FILE.jsonl."""
EPILOG = """\
examples:
  python run.py replay logs/tuesday
  python run.py replay logs/tuesday --seed 3 --episode 417
  python run.py replay logs/tuesday --worst-of 1000 --fork 11 --html worst.html
  python run.py replay logs/tuesday --fork '11:Restore User4'
  python run.py replay logs/tuesday --update 100 --row 5
  python run.py replay restore --red-agent RedMeanderAgent --ansi
  python run.py replay games.jsonl --worst-of 1000 --gif worst.gif

The page is one file that needs nothing else and can be mailed. Without --html,
--gif or --ansi it goes to a temporary file, and a browser opens where there is
one. In it: space plays, arrows step, Home and End, + and - change the speed.

By default an episode is the one of that number of `run.py evaluate` with the
same --seed, --steps and Red agent. --update and --row name one of training, in
whose network and with whose seeds the checkpoint's policy plays: weights of
earlier updates are not kept. docs/replay.md says more.
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `replay` its options."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    agents.set_up(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--episode", metavar="N", help="its number, from 0; in a file of traces its place [0]")
    which.add_argument(
        "--worst-of",
        nargs="?",
        const=_WORST_OF,
        metavar="N",
        help=f"the one with the lowest return of the first N [{_WORST_OF}]",
    )
    which.add_argument(
        "--update", metavar="N", help="one of training: the policy's update that learned from it, from 0"
    )
    parser.add_argument("--row", metavar="N", help="with --update: its place in the batch, from 0 [0]")
    parser.add_argument("--visit", metavar="N", help="of the evaluation that this visit of the run's ended with")
    parser.add_argument("--steps", metavar="N", help=f"of an episode [the run's own, or {EPISODE_STEPS}]")
    parser.add_argument(
        "--fork",
        action="append",
        default=[],
        metavar="STEP[:ACTION]",
        help="what another choice in a step would have come to, in 1,000 futures; without ACTION the likeliest other "
        "one. May be repeated",
    )
    forms = parser.add_argument_group("how it is shown")
    forms.add_argument("--html", type=Path, metavar="FILE", help="as one page, in a new file")
    forms.add_argument("--gif", type=Path, metavar="FILE", help="as an animation, in a new file (needs Pillow)")
    forms.add_argument("--ansi", action="store_true", help="in the terminal")
    forms.add_argument("--no-browser", action="store_true", help="open none: say where the page is")
    games.add_red_agent(parser)
    games.set_up(parser)


def run(options: argparse.Namespace) -> int:
    """Show the episode that the options ask for.

    Returns:
        The exit code, 0.

    Raises:
        SetupError: There is no such episode, an option doesn't fit, or a file can't be written.
    """
    for path in filter(None, (options.html, options.gif)):
        if path.exists():  # told before anything is played
            raise UsageError(f"{path} exists already, and nothing is overwritten: choose another name")
    forks = [_fork(text) for text in options.fork]
    path = Path(options.agent)
    played = _read(options, path) if path.suffix == TRACE_SUFFIX else _play(options)
    _show(options, played, forks)
    return OK


def _fork(text: str) -> tuple[int, str | None]:
    """Return a moment, and a choice there if one is told."""
    step, _, choice = text.partition(":")
    return number_of("--fork", step, MAX_EPISODE_STEPS) - 1, choice or None


def _read(options: argparse.Namespace, path: Path) -> Played:
    names = ("update", "row", "visit", "steps", "workflow", "greedy", "sampled")
    given = [name for name in (*names, *_OF_THE_GAME) if getattr(options, name, None)]
    if given:
        raise UsageError(f"--{given[0].replace('_', '-')} has no say in a file of traces, which tells it: leave it out")
    from pipeline.replay.played import read, read_worst

    if options.worst_of is not None:
        return read_worst(path, number_of("--worst-of", options.worst_of, MAX_EPISODES))
    return read(path, number_of("--episode", options.episode or "0", MAX_EPISODES, lowest=0))


def _play(options: argparse.Namespace) -> Played:
    given = given_options(options)
    workflow_id = agents.workflow_id_of(options.workflow)
    # mistakes are told before anything is imported
    numbers = _numbers(options)
    reference = agents.reference_of(options, make_config(given).engine)
    if options.step_timeout is not None:
        raise UsageError("--step-timeout is for evaluations: this plays in this process, and waits for its agent")
    is_run = reference is None and options.agent not in agents.BUILT_IN
    _check(options, given, is_run=is_run)

    from pipeline.replay.asked import Asked

    asked = Asked(**numbers, greedy=options.greedy)
    agent: Trained | AgentReference | str = reference or options.agent
    trained, config = None, None
    if is_run:
        from pipeline.evaluate.trained import load_trained
        from pipeline.run.attackers import require_told

        agent = trained = load_trained(Path(options.agent), workflow_id)
        if asked.is_the_runs_own or "red_agent" not in given:
            require_told(trained.run_dir, trained.config, given.get("red_agent"))
        if asked.is_the_runs_own:
            config = make_config({**what_results_depend_on(trained.config), **given})
    return _played(asked, agent, config or games.game_config(given, trained))


def _played(asked: Asked, agent: Trained | AgentReference | str, config: Config) -> Played:
    from pipeline.evaluate.progress import progress
    from pipeline.numerics.cache import why_not_kept
    from pipeline.replay.asked import must_compile, play_asked

    if reason := why_not_kept():
        tell(f"note: {reason}")
    if must_compile(asked, agent, config):
        tell("note: compiling first, once, about 10 s")
    with printing_to_stderr():
        if asked.worst_of is None:
            return play_asked(asked, agent, config)
        with progress(asked.worst_of) as note_progress:
            return play_asked(asked, agent, config, note_progress)


def _numbers(options: argparse.Namespace) -> dict[str, Any]:
    def number(name: str, highest: int, lowest: int = 0) -> int | None:
        text = getattr(options, name)
        return None if text is None else number_of(f"--{name.replace('_', '-')}", text, highest, lowest=lowest)

    if options.row is not None and options.update is None:
        raise UsageError("--row goes with --update, whose batch it is a row of")
    return {
        "episode": number("episode", MAX_EPISODES) or 0,
        "worst_of": number("worst_of", MAX_EPISODES, lowest=1),
        "visit": number("visit", MAX_EPISODES),
        "update": number("update", MAX_EPISODES),
        "row": number("row", MAX_EPISODES) or 0,
        "num_steps": number("steps", MAX_EPISODE_STEPS, lowest=1),
    }


def _check(options: argparse.Namespace, given: dict[str, Any], *, is_run: bool) -> None:
    """Check that what a run has played itself is asked of a run, and not changed."""
    own = next((name for name in ("update", "visit") if getattr(options, name) is not None), None)
    if own is None:
        games.require_one_red_agent(given)
        return
    if not is_run:
        raise UsageError(f"--{own} is for runs: leave it out, {options.agent} has none")
    others: list[str] = [name for name in ("profile", "seed") if name in given]
    others += [name for name in ("steps", "worst_of") if getattr(options, name) is not None]
    others += ["visit"] if own == "update" and options.visit is not None else []
    if others:
        raise UsageError(f"--{others[0].replace('_', '-')} doesn't go with --{own}: leave one of them out")


def _show(options: argparse.Namespace, played: Played, forks: Sequence[tuple[int, str | None]]) -> None:
    num_steps = len(played.trace.steps)
    for moment, _ in forks:
        if moment >= num_steps:
            raise UsageError(f"--fork {moment + 1}: the episode has {num_steps} steps")
    if forks:
        from pipeline.play import play_out

        if play_out.must_compile():
            tell("note: compiling first, once, about 10 s")
        tell(f"note: playing {len(forks)} x 2 x 1,000 futures")
    replay = played.replay(*(played.fork(moment, choice) for moment, choice in forks))
    if options.gif is not None:
        from pipeline.replay.file import write_new
        from pipeline.replay.gif import animation

        write_new(options.gif, animation(played.trace))
        sys.stdout.write(f"{options.gif}\n")
    if options.html is not None:
        from pipeline.replay.file import write_new
        from pipeline.replay.page import page

        write_new(options.html, page(replay).encode())
        sys.stdout.write(f"{options.html}\n")
    if options.ansi:
        from pipeline.replay.ansi import console, show

        show(replay, console())
    if not (options.gif or options.html or options.ansi):
        from pipeline.replay.file import write_temporary
        from pipeline.replay.page import page

        written = write_temporary(page(replay).encode(), ".html")
        sys.stdout.write(f"{written}\n")
        if not options.no_browser and _has_browser():
            import webbrowser

            webbrowser.open(written.as_uri())


def _has_browser() -> bool:
    """Return whether there is a screen for a browser: one that takes over the terminal is not meant."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
