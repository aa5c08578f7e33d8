"""The thread on which all that may block for Ray is called, one call after the other."""

from __future__ import annotations

import atexit
import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

EXIT_TIMEOUT_S = 30.0
"""For what is still to be called when the process ends. Ray may hang, and is left to itself then."""


class RayThread:
    """Calls what it is given, as long as the process lives: Ray ends what it started when the thread ends.

    An executor's thread would be waited for at the end of the process however long that takes.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="cage2-ray", daemon=True)
        self._thread.start()
        atexit.register(self._end)

    def submit(self, call: Callable[[], _T]) -> Future[_T]:
        """Have it called, after all that was submitted before."""
        future: Future[_T] = Future()
        self._calls.put((future, call))
        return future

    def _run(self) -> None:
        while (work := self._calls.get()) is not None:
            future, call = work
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001  # who waits for it is told
                    future.set_exception(error)
            del work, future, call  # or the last one's would be kept until the next

    def _end(self) -> None:
        self._calls.put(None)
        self._thread.join(EXIT_TIMEOUT_S)
