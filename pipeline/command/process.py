"""What a program may do to its process, and a library must not: signal handlers, the event loop, the heap, its end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import select
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from pipeline.run.pipeline import Pipeline

Result = TypeVar("Result")

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""
ENDS = ("SIGTERM", "SIGHUP", "SIGUSR1")
"""Signals that ask a program to end, beside Ctrl-C's."""
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
_SWITCH_INTERVAL_S = 0.0005


def handle_signals(pipeline: Pipeline, note: Callable[[str], None], *, end_with_stdin: bool = False) -> None:
    """Let the first signal end the run after the update in progress (an evaluation at once), and a further one at once.

    SIGUSR1 is what clusters send before they take a machine away.
    SIGHUP is left alone where it is ignored, as `nohup` wants it.

    Args:
        pipeline: The run, entered.
        note: Tells the user something.
        end_with_stdin: Let the end of standard input count as a signal, too.
    """
    num_signals = 0

    def stop() -> None:
        nonlocal num_signals
        num_signals += 1
        if num_signals == 1:
            note("stopping after the update in progress, an evaluation at once; once more stops at once")
        pipeline.stop(now=num_signals > 1)

    have_handled(("SIGINT", *ENDS), stop)
    if end_with_stdin:
        loop = asyncio.get_running_loop()

        def wait_for_the_end() -> None:
            while not stdin_has_ended(timeout_s=None):
                pass
            with contextlib.suppress(RuntimeError):  # the loop is closed: the run has ended by itself
                loop.call_soon_threadsafe(stop)

        threading.Thread(target=wait_for_the_end, name="cage2-stdin", daemon=True).start()


def stdin_has_ended(timeout_s: float | None = 0) -> bool:
    """Return whether standard input has come to its end, or is closed. What is written to it is thrown away.

    Args:
        timeout_s: How long to wait for something; None for as long as it takes.
    """
    try:
        readable, _, _ = select.select([_STDIN], [], [], timeout_s)
        return bool(readable) and not os.read(_STDIN, 1 << 16)
    except OSError:
        return True


def run_to_result(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on a loop of its own. Whatever asks the program to end cancels it, and it leaves nothing behind.

    Raises:
        KeyboardInterrupt: It was cancelled, by Ctrl-C or another signal (see `handle_signals`).
    """

    async def cancelled_by_signals() -> Result:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine that runs
        have_handled(ENDS, task.cancel)
        return await coroutine

    with asyncio.Runner(loop_factory=loop_factory()) as runner:  # which Ctrl-C cancels
        try:
            return runner.run(cancelled_by_signals())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


def have_handled(names: Iterable[str], handler: Callable[[], object]) -> None:
    """Have the running loop call a handler for each of these signals, by name."""
    loop = asyncio.get_running_loop()
    for name in names:
        if hasattr(signal, name) and not (name == "SIGHUP" and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt instead
                loop.add_signal_handler(getattr(signal, name), handler)


def share_one_heap() -> None:
    """Have all threads allocate from one heap, where the C library is glibc.

    It gives each thread one of its own, which keeps what it once needed: a long run would grow by 100 MiB.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library, or Windows
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


@contextlib.contextmanager
def imports_for_good() -> Iterator[None]:
    """Keep the garbage collector from what is imported meanwhile: hundreds of thousands of objects, all of which stay.

    It would go through them again and again, which takes a fifth of a short run's time. What is there already is left
    alone from then on too, unless nothing was imported.
    """
    num_modules = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > num_modules:
            gc.freeze()
        gc.enable()


def let_the_loop_in() -> None:
    """Have threads hand over the interpreter's lock sooner: five milliseconds are long for an event loop."""
    sys.setswitchinterval(_SWITCH_INTERVAL_S)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's, or None for asyncio's own where uvloop isn't to be had."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


@contextlib.contextmanager
def printing_to_stderr() -> Iterator[None]:
    """Have what is printed go to stderr, by whomever: other code runs in this process, and stdout is for results."""
    sys.stdout.flush()
    kept = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, _STDOUT)
        os.close(kept)
