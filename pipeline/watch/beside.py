"""The page beside a run, or many, in a process of its own, which ends with theirs, however that ends.

```
run's process                                   the page's process
  listens, tells the address                      python -m pipeline.watch.beside
  stdin: what it is to show  ------------------>  serves on the same socket
  stdin closes when the process is gone  ------>  ends
```

The two share nothing else: the page reads what the run writes, as any other does.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from pipeline.watch.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL_COMPARED: Final = "compare/*"
"""The view of all runs that there are, side by side; no run can be called so."""
_END_S: Final = 10.0
"""That the page's process has to end."""


def page_of(run_dir: Path) -> str:
    """Return the view of a run."""
    return f"now/{quote(run_dir.name)}"


@contextlib.contextmanager
def page_beside(log_dir: Path, view: str) -> Iterator[str]:
    """Show the runs of a folder as a page, for as long as the context lasts.

    Args:
        log_dir: The folder that the runs' folders are in.
        view: What is shown first: `page_of` a run, or `ALL_COMPARED`.

    Yields:
        The page's address.
    """
    listener = Listener.open()
    address = f"{listener.address}#{view}"
    descriptor = listener.socket.fileno()
    told = {
        "descriptor": descriptor,
        "token": listener.token,
        "address": address,
        "log_dir": str(log_dir.resolve()),
    }
    with listener.socket:
        process = subprocess.Popen(  # noqa: S603  # this program itself
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(descriptor,),
            start_new_session=True,  # Ctrl-C at the terminal is for the run
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    assert process.stdin is not None  # noqa: S101  # for mypy: it is a pipe
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
    try:
        yield address
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """Serve what standard input says, until that ends."""
    told: dict[str, Any] = json.loads(sys.stdin.readline())

    from pipeline.reading.folders import RunFolders
    from pipeline.watch.browser import opened
    from pipeline.watch.server import Server

    listener = Listener(socket.socket(fileno=told["descriptor"]), told["token"])
    server = Server(RunFolders(Path(told["log_dir"])), listener)

    def stop_at_the_end() -> None:
        sys.stdin.read()
        server.stop()

    threading.Thread(target=stop_at_the_end, daemon=True).start()
    with opened(told["address"]):
        server.serve()


if __name__ == "__main__":
    main()
