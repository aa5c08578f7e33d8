"""`run.py watch`: a page, on this machine alone, that shows what runs have written."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

from pipeline import extras
from pipeline.command.options import UsageError
from pipeline.command.process import INTERRUPTED, OK
from pipeline.config import Config

OPTIONS: tuple[str, ...] = ("port", "no_browser", "log_dir")
MAX_PORT = 65535
DESCRIPTION = """\
Show what runs have written, as a page on 127.0.0.1: how far they have come,
learning curves, the map of orders, and runs side by side. It works while a run
goes on, after its end and after a crash: it reads files, and a run doesn't
know of it. It ends with Ctrl-C."""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `watch` its options."""
    parser.usage = "run.py watch [RUN ... | EXPERIMENT] [OPTION ...]"
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "runs",
        type=Path,
        nargs="*",
        metavar="RUN",
        help="folders of runs, or one of an experiment or a search, with all of its own; by default all of --log-dir",
    )
    parser.add_argument("--port", metavar="N", help="to listen on; by default one that is free")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    parser.add_argument(
        "--log-dir",
        type=Path,
        metavar="DIR",
        default=Config.model_fields["log_dir"].default,
        help="whose runs are shown, unless some are named [%(default)s]",
    )


def run(options: argparse.Namespace) -> int:
    """Serve the page until it is interrupted.

    Returns:
        The exit code.

    Raises:
        SetupError: An option doesn't fit, the port is taken, or what serves the page isn't installed.
    """
    require_server()
    port = _port(options.port)

    from pipeline.experiment.folder import is_experiment  # NumPy, which a mistaken option need not wait for
    from pipeline.reading.folders import RunFolders
    from pipeline.tuning.folder import is_tuning
    from pipeline.watch.beside import ALL_COMPARED
    from pipeline.watch.browser import opened
    from pipeline.watch.listener import Listener
    from pipeline.watch.server import Server

    log_dir, runs = options.log_dir, options.runs
    view = ""
    if len(runs) == 1 and (is_experiment(runs[0]) or is_tuning(runs[0])):
        log_dir, runs, view = runs[0], [], f"#{ALL_COMPARED}"
    folders, listener = RunFolders(log_dir, runs), Listener.open(port)
    address = f"{listener.address}{view}"
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    with nullcontext() if options.no_browser else opened(address):
        try:
            Server(folders, listener).serve()
        except KeyboardInterrupt:
            return INTERRUPTED
    return OK


def require_server() -> None:
    """Check that what serves the page is installed.

    Raises:
        NotInstalledError: It isn't.
    """
    extras.require("the page", "starlette", "uvicorn")


def _port(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MAX_PORT:
        raise UsageError(f"--port {text[:20]}: must be a whole number from 1 to {MAX_PORT}")
    return int(text)
