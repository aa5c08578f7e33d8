"""`run.py watch`: a page, on this machine alone, that shows what runs have written."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.command.options import UsageError
from pipeline.command.process import INTERRUPTED, OK
from pipeline.config import Config
from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.watch.server import Server

OPTIONS: tuple[str, ...] = ("port", "browser", "no_browser", "log_dir")
MAX_PORT = 65535
DESCRIPTION = """\
Show what runs have written, as a page on 127.0.0.1: how far they have come,
learning curves, the map of orders, and runs side by side. It works while a run
goes on, after its end and after a crash, and costs the run nothing: it reads
files. It ends with Ctrl-C."""


class WatchExtraMissingError(SetupError):
    """What serves the page isn't installed."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"the page needs the watch extra, and {module} isn't installed: pip install 'cage2-pipeline[watch]'"
        )


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `watch` its options."""
    parser.usage = "run.py watch [RUN ...] [OPTION ...]"
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "runs", type=Path, nargs="*", metavar="RUN", help="folders of runs; by default all of --log-dir"
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
    server = make_server(options.log_dir, options.runs, _port(options.port))

    from pipeline.watch.browser import opened

    sys.stdout.write(f"{server.address}\n")
    sys.stdout.flush()
    try:
        if options.no_browser:
            server.serve()
        else:
            with opened(server.address):
                server.serve()
    except KeyboardInterrupt:
        return INTERRUPTED
    return OK


def make_server(log_dir: Path, runs: Sequence[Path], port: int = 0) -> Server:
    """Return a server of the page, which listens already.

    Args:
        log_dir: Whose runs are meant, unless some are named.
        runs: Folders of runs.
        port: 0 for one that is free.

    Raises:
        SetupError: A folder is none of a run, the port is taken, or what serves the page isn't installed.
    """
    try:
        from pipeline.reading.folders import RunFolders
        from pipeline.watch.server import Server
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "pipeline":
            raise
        raise WatchExtraMissingError(error.name) from None
    return Server(RunFolders(log_dir, runs), port)


def _port(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MAX_PORT:
        raise UsageError(f"--port {text[:20]}: must be a whole number from 1 to {MAX_PORT}")
    return int(text)
