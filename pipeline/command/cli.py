"""The command line: `train` (the default), `resume`, `evaluate`, `info`.

What it does to its process is in `process`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from native_buffers.errors import NativeBufferError, SharedMemoryFull
from pipeline.command import evaluate as evaluation_cli
from pipeline.command.options import (
    Parser,
    UsageError,
    add_options,
    given_options,
    make_config,
    unknown_argument,
)
from pipeline.command.process import handle_signals, let_the_loop_in, loop_factory, share_one_heap
from pipeline.config import SPEED_FIELDS, Config, change_speed, num_cores
from pipeline.errors import PipelineError, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.run.pipeline import Pipeline
    from pipeline.types import Event, RunFinished, WorkflowFinished, WorkflowResult

COMMANDS = ("train", "resume", "evaluate", "info")
OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""
LOG_INTERVAL_S = 5.0
"""Between log lines about updates, unless --verbose asks for all of them."""

USAGE_LINES = """\
run.py [train] [OPTION ...]
       run.py resume RUN [OPTION ...]
       run.py evaluate RUN|CHECKPOINT|random|sleep|restore [OPTION ...]
       run.py info [OPTION ...]"""
GUIDE = """\
commands:
  train     start a run; the default: `run.py --workers 2` is `run.py train --workers 2`
  resume    go on with a run that was stopped or killed, exactly where it was (see run.py resume --help)
  evaluate  play a run's policy, or an agent to compare it with, as CAGE-2 evaluates (see run.py evaluate --help)
  info      print versions, machine, and what a run with these options would allocate

examples:
  python run.py --total-episodes 2000 --red-agent RedMeanderAgent
  python run.py --config my.toml --workers 8 --run-name tuesday
  python run.py resume logs/tuesday
  python run.py evaluate logs/tuesday
  python run.py info --workers 100

Ctrl-C ends a run after the update in progress, a second Ctrl-C at once; either way `resume` goes on exactly.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: Its arguments; the process's own by default.

    Returns:
        The exit code: 0 done, 1 the run failed, 2 a mistake in the command or its surroundings, 130 interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        options, unknown = _parser().parse_known_args(_with_command(arguments))
        if unknown:
            known = {"resume": SPEED_FIELDS, "evaluate": evaluation_cli.OPTIONS}
            raise unknown_argument(unknown[0], known.get(options.command, tuple(Config.model_fields)))
        command = {"train": _train, "resume": _resume, "evaluate": evaluation_cli.run, "info": _info}[options.command]
        return command(options)
    except (SetupError, SharedMemoryFull) as error:
        _tell(f"error: {_in_one_line(str(error))}")
        return USAGE
    except (PipelineError, NativeBufferError, OSError) as error:
        _tell("error: " + "\n".join(map(_in_one_line, str(error).split("\n"))))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="run.py")
    commands = parser.add_subparsers(dest="command", parser_class=Parser)
    train = commands.add_parser(
        "train",
        prog="run.py",
        usage=USAGE_LINES,
        description="Train defenders for CAGE Challenge 2 and search the 120 workflows for the best.",
        epilog=GUIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("--config", type=Path, metavar="FILE.toml", help="read values from a file; options override it")
    add_options(train)
    resume = commands.add_parser(
        "resume", description="Go on with a run that was stopped or killed, exactly where it was."
    )
    resume.add_argument("run", type=Path, metavar="RUN", help="the run's folder, e.g. logs/tuesday")
    add_options(resume, SPEED_FIELDS)
    for command in (train, resume):
        display = command.add_mutually_exclusive_group()
        display.add_argument("--quiet", action="store_true", help="print the end of the run only")
        display.add_argument("--verbose", action="store_true", help="a log line for every update, no live display")
        display.add_argument("--json-logs", action="store_true", help="log lines as JSON, no live display")
    evaluation_cli.set_up(commands.add_parser("evaluate"))
    info = commands.add_parser("info", description="Print versions, machine, and what a run would allocate.")
    info.add_argument("--config", type=Path, metavar="FILE.toml", help="read values from a file; options override it")
    add_options(info)
    return parser


def _with_command(arguments: list[str]) -> list[str]:
    """Put `train` in front unless a command is there."""
    if arguments and arguments[0] in COMMANDS:
        return arguments
    if arguments and not arguments[0].startswith("-"):
        choices = f"{', '.join(COMMANDS[:-1])} or {COMMANDS[-1]}"
        raise UsageError(f"unknown command {arguments[0]!r:.60}: choose {choices} (see run.py --help)")
    return ["train", *arguments]


def _train(options: argparse.Namespace) -> int:
    config = make_config(given_options(options), options.config)

    from pipeline.run.pipeline import Pipeline  # torch takes seconds to import, and mistakes are told before

    return _run(Pipeline(config), options)


def _resume(options: argparse.Namespace) -> int:
    from pipeline.persist.runs import read_config

    config = read_config(options.run)
    speed = given_options(options)
    make_config(change_speed(config, speed))

    from pipeline.run.pipeline import Pipeline

    return _run(Pipeline.resume(options.run, **speed), options)


def _info(options: argparse.Namespace) -> int:
    from pipeline.command.info import print_info

    print_info(make_config(given_options(options), options.config))
    return OK


def _run(pipeline: Pipeline, options: argparse.Namespace) -> int:
    share_one_heap()
    let_the_loop_in()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_drive(pipeline, options))


async def _drive(pipeline: Pipeline, options: argparse.Namespace) -> int:
    """Run a pipeline to its end, with signals and a display."""
    from pipeline.types import WorkflowFinished

    note = _noter(options)
    last_visit: WorkflowFinished | None = None
    async with pipeline:
        if not options.quiet:
            for text in _notes(pipeline.config):
                note(text)
        handle_signals(pipeline, note)
        try:
            with _display(pipeline, options) as show:
                async for event in pipeline.events():
                    show(event)
                    if isinstance(event, WorkflowFinished):
                        last_visit = event
        except (PipelineError, OSError):
            note(f"go on with: {_resume_command(pipeline)}")
            raise
        finished = await pipeline.run()
    _print_summary(pipeline, finished, last_visit)
    return INTERRUPTED if finished.reason == "stopped" else OK


@contextlib.contextmanager
def _display(pipeline: Pipeline, options: argparse.Namespace) -> Iterator[Callable[[Event], None]]:
    """Choose how events are shown: not at all, as lines, or live."""
    from pipeline.observe.dashboard import Dashboard
    from pipeline.observe.logs import LogLines, terminal_logger
    from pipeline.types import OrdersEvaluated

    if options.quiet:
        yield lambda _: None
    elif options.verbose or options.json_logs or not sys.stderr.isatty():
        yield LogLines(
            terminal_logger(as_json=options.json_logs),
            update_interval_s=0 if options.verbose else LOG_INTERVAL_S,
            left_out=() if options.json_logs else (OrdersEvaluated,),  # hundreds of numbers
        )
    else:
        with Dashboard(pipeline.config, pipeline.statistics) as dashboard:
            yield dashboard


def _print_summary(pipeline: Pipeline, finished: RunFinished, last_visit: WorkflowFinished | None) -> None:
    from rich.console import Console

    from pipeline.command.findings import findings

    reasons = {
        "budget": "the episode budget is used",
        "exhausted": "every workflow has had its share",
        "stopped": "stopped on request",
    }
    console = Console(highlight=False, markup=False, soft_wrap=True)  # names of folders may look like markup
    console.print(
        f"done ({reasons[finished.reason]}): {finished.episodes} episodes, {finished.updates} updates, "
        f"{finished.wall_s:.1f} s, {finished.episodes_per_s:.1f} episodes/s",
        style="bold",
    )
    if last_visit is not None and last_visit.result.greedy_env_reward is not None:
        console.print(_evaluation(last_visit))
    if finished.best_workflow is None:
        threshold = f"the compliance threshold of {pipeline.config.compliance_threshold:g}"
        if pipeline.config.workflow:
            advice = f"best workflow: none, for the one that was trained does not reach {threshold}"
        else:
            more = "--total-episodes" if pipeline.config.policy == "shared" else "--max-episodes-per-workflow"
            advice = f"best workflow: none yet, for no workflow has reached {threshold}: give it more {more}"
        console.print(advice)
    else:
        for line in findings(finished):
            console.print(line)
    console.print(f"digest: {finished.digest}")
    console.print(f"record: {_in_one_line(str(pipeline.run_dir))}")
    if finished.reason == "stopped":
        console.print(f"go on with: {_in_one_line(_resume_command(pipeline))}")


def _evaluation(visit: WorkflowFinished) -> str:
    """Return what the last policy was worth in fresh episodes."""
    result: WorkflowResult = visit.result
    sampled, greedy = result.env_reward, result.greedy_env_reward
    text = f"last evaluated: {visit.workflow_order}, {result.num_evaluated} fresh episodes: env reward "
    text += f"{sampled.mean:.1f} ± {sampled.stderr:.1f}, compliance {result.compliance:.2f}"
    if greedy is not None and result.greedy_compliance is not None:
        text += f" (greedy {greedy.mean:.1f} ± {greedy.stderr:.1f}, {result.greedy_compliance:.2f})"
    return text


def _resume_command(pipeline: Pipeline) -> str:
    """Return what to type to go on with a run, in a shell, in the folder that this was started in."""
    installed = Path(sys.argv[0]).name == "cage2-pipeline"
    program = "cage2-pipeline" if installed else f"python {shlex.quote(sys.argv[0])}"
    return f"{program} resume {shlex.quote(str(pipeline.run_dir))}"


def _notes(config: Config) -> Iterator[str]:
    """Yield what the user should know: what of a valid configuration won't do what it seems to, or what takes long."""
    from pipeline.numerics.cache import why_not_kept

    if reason := why_not_kept():
        yield reason
    if config.workflow or config.policy == "shared":
        unused = [
            f"--{name.replace('_', '-')}"
            for name in ("max_episodes_per_workflow", "patience", "warm_start")
            if name in config.model_fields_set
        ]
        if unused:
            with_what = "--workflow" if config.workflow else "--policy shared"
            yield f"with {with_what} the policy has all episodes: {', '.join(unused)} not used"
    if config.collector == "sequential":
        if "workers" in config.model_fields_set and config.workers > 1:
            yield "--collector sequential plays one episode after the other in this process: --workers is not used"
        return
    if config.workers > num_cores() and config.collector != "ray":
        yield f"{config.workers} workers on {num_cores()} cores: that works, but is no faster than {num_cores()}"
    if config.workers > config.max_episodes_in_flight:
        yield (
            f"at most {config.max_episodes_in_flight} of {config.workers} workers can be busy: "
            "raise --episodes-per-update to use them all"
        )


def _noter(options: argparse.Namespace) -> Callable[[str], None]:
    """Return what tells the user something beside the events, in the form in which they are told."""
    if not options.json_logs:
        return lambda text: _tell(f"note: {_in_one_line(text)}")
    from pipeline.observe.logs import terminal_logger

    logger = terminal_logger(as_json=True)
    return lambda text: logger.info("note", text=text)


def _in_one_line(text: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # the command line's own output
