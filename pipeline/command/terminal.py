"""A run at a terminal: shown while it goes on, stopped by signals, summed up at its end."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import textwrap
from typing import TYPE_CHECKING, Final

from pipeline.command import wording
from pipeline.command.process import (
    INTERRUPTED,
    OK,
    handle_signals,
    let_the_loop_in,
    loop_factory,
    share_one_heap,
    stdin_has_ended,
)
from pipeline.command.watch import require_server
from pipeline.errors import PipelineError
from pipeline.printable import printable
from pipeline.types import OrdersEvaluated, WorkflowFinished
from pipeline.watch.beside import page_beside, page_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from pipeline.run.pipeline import Pipeline
    from pipeline.types import Event, RunFinished

LOG_INTERVAL_S: Final = 5.0
"""Between log lines about updates, unless --verbose asks for all of them."""
_TO_COPY: Final = ("digest: ", "record: ", "go on with: ")
"""How lines of a summary begin that hold what is to be copied."""


def add_display_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how a run is shown."""
    shown = parser.add_argument_group("how it is shown")
    shown.add_argument("--watch", action="store_true", help="also as a page in a browser, as long as it goes on")
    shown.add_argument(
        "--end-with-stdin",
        action="store_true",
        help="end when standard input does, as after Ctrl-C: for programs that start runs",
    )
    display = shown.add_mutually_exclusive_group()
    display.add_argument("--quiet", action="store_true", help="print the end of the run only")
    display.add_argument("--verbose", action="store_true", help="a log line for every update, no live display")
    display.add_argument("--json-logs", action="store_true", help="log lines as JSON, no live display")


def run_to_end(pipeline: Pipeline, options: argparse.Namespace) -> int:
    """Run a pipeline to its end, with signals and a display.

    Args:
        pipeline: The run, not entered yet.
        options: Of `add_display_options`.

    Returns:
        The exit code: 0, or 130 if the run was stopped.

    Raises:
        SetupError: What serves the page is asked for, and isn't installed.
        PipelineError: The run can't start, or failed.
    """
    if options.watch:
        require_server()
    if options.end_with_stdin and stdin_has_ended():  # whoever started this is gone
        return INTERRUPTED
    share_one_heap()
    let_the_loop_in()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_run_to_end(pipeline, options))


def tell(text: str) -> None:
    """Print a line that is no result, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # the command line's own output


async def _run_to_end(pipeline: Pipeline, options: argparse.Namespace) -> int:
    note = _noter(as_json=options.json_logs)
    last_visit: WorkflowFinished | None = None
    with contextlib.ExitStack() as beside:
        async with pipeline:
            run_dir = pipeline.run_dir
            if options.watch:
                note(f"page: {beside.enter_context(page_beside(run_dir.parent, page_of(run_dir)))}")
            if not options.quiet:
                for text in wording.notes(pipeline.config):
                    note(text)
            handle_signals(pipeline, note, end_with_stdin=options.end_with_stdin)
            try:
                with _display(pipeline, options) as show:
                    async for event in pipeline.events():
                        show(event)
                        if isinstance(event, WorkflowFinished):
                            last_visit = event
            except (PipelineError, OSError):
                note(f"go on with: {wording.resume_command(pipeline.run_dir, pipeline.config)}")
                raise
            finished = await pipeline.run()
        _print_summary(pipeline, finished, last_visit)
    return INTERRUPTED if finished.reason == "stopped" else OK


@contextlib.contextmanager
def _display(pipeline: Pipeline, options: argparse.Namespace) -> Iterator[Callable[[Event], None]]:
    """Choose how events are shown: not at all, as lines, or live."""
    from pipeline.observe.dashboard import Dashboard
    from pipeline.observe.logs import LogLines, json_lines
    from pipeline.observe.sentences import Sentences

    if options.quiet:
        yield lambda _: None
    elif options.verbose or options.json_logs or not sys.stderr.isatty():
        yield LogLines(
            json_lines() if options.json_logs else Sentences(),
            update_interval_s=0 if options.verbose else LOG_INTERVAL_S,
            left_out=() if options.json_logs else (OrdersEvaluated,),  # hundreds of numbers
        )
    else:
        with Dashboard(pipeline.config, pipeline.statistics) as dashboard:
            yield dashboard


def _noter(*, as_json: bool) -> Callable[[str], None]:
    """Return what tells the user something beside the events, in the form in which they are told."""
    if not as_json:
        return lambda text: tell(f"note: {printable(text)}")
    from pipeline.observe.logs import json_logger

    logger = json_logger()
    return lambda text: logger.info("note", text=text)


def _print_summary(pipeline: Pipeline, finished: RunFinished, last_visit: WorkflowFinished | None) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)  # names of folders may look like markup
    had_ended = finished.reason != "stopped" and pipeline.statistics().first_episode_s is None
    _print_line(console, wording.headline(finished, had_ended=had_ended), style="bold")
    for line in wording.summary(finished, last_visit, pipeline.config, pipeline.run_dir):
        _print_line(console, line)


def _print_line(console: Console, line: str, style: str | None = None) -> None:
    """Print a line; a terminal that is narrower has it broken between words, unless it is to be copied."""
    if console.is_terminal and not line.startswith(_TO_COPY):
        indent = " " * (len(line) - len(line.lstrip()) + 3)
        line = textwrap.fill(
            line, console.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    console.print(line, style=style, soft_wrap=True)
