"""What the page asks for, and its own files. All is read-only."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from pipeline.extras import NotInstalledError
from pipeline.reading.folders import UnknownRunError
from pipeline.reading.glance import Glances
from pipeline.reading.run import Reading
from pipeline.watch import views
from pipeline.watch.access import Access
from pipeline.watch.episodes import Episodes
from pipeline.watch.feed import Feed
from pipeline.watch.wire import to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from pipeline.reading.folders import RunFolders
    from pipeline.reading.orders import Map

STATIC: Final = Path(__file__).parent / "static"
INTERVAL_S: Final = 1.0
"""Between two looks at what a run wrote."""
QUIET_S: Final = 15.0
"""After which a client is told that there is nothing to tell."""
MOST_READINGS: Final = 8
"""Runs whose curves are kept in memory at a time."""


class Watch:
    """Answers the page.

    Args:
        folders: The runs that are meant.
        is_ending: Says whether the server is to end: then whoever listens is told no more.
    """

    def __init__(self, folders: RunFolders, is_ending: Callable[[], bool]) -> None:
        self._folders = folders
        self._is_ending = is_ending
        self._readings: OrderedDict[str, Reading] = OrderedDict()
        self._lock = threading.Lock()
        self._glances = Glances()
        self._search_thread = anyio.CapacityLimiter(1)

    def routes(self) -> list[BaseRoute]:
        """Return what is answered."""
        return [
            Route("/", self._index),
            Route("/api/runs", self._runs),
            Route("/api/runs/{name}", self._run),
            Route("/api/runs/{name}/news", self._news),
            Route("/api/runs/{name}/snapshot", self._snapshot),
            Route("/api/runs/{name}/orders/{num_visits:int}", self._orders),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]

    async def _index(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def _runs(self, request: Request) -> Response:
        def look() -> list[dict[str, Any]]:
            paths = {}
            for name in self._folders.names():
                with contextlib.suppress(UnknownRunError):  # it has gone meanwhile
                    paths[name] = self._folders.path(name)
            seen = self._glances.at(list(paths.values()))
            return [views.row(name, each) for name, each in zip(paths, seen, strict=True)]

        return _json(await run_sync(look))

    async def _run(self, request: Request) -> Response:
        def look() -> dict[str, Any]:
            reading = self._reading(name)
            with reading.lock:
                reading.refresh()
                return views.details(name, reading)

        name = request.path_params["name"]
        return _json(await run_sync(look))

    async def _snapshot(self, request: Request) -> Response:
        """Answer with what `_news` says first, and no more."""

        def look() -> str:
            reading = self._reading(request.path_params["name"])
            with reading.lock:
                reading.refresh()
                return to_json(Feed(reading).news())

        return Response(await run_sync(look), media_type="application/json")

    async def _news(self, request: Request) -> Response:
        reading = await run_sync(self._reading, request.path_params["name"])
        return StreamingResponse(news(reading, INTERVAL_S, self._is_ending), media_type="text/event-stream")

    async def _orders(self, request: Request) -> Response:
        def look() -> Map | None:
            reading = self._reading(request.path_params["name"])
            with reading.lock:
                reading.refresh()
            return reading.orders_after(num_visits)

        num_visits = request.path_params["num_visits"]
        try:
            found = await run_sync(look, limiter=self._search_thread)
        except (NotInstalledError, ValueError) as error:
            return PlainTextResponse(str(error), 404)
        return _json(views.orders(found, num_visits) if found else None)

    def _reading(self, name: str) -> Reading:
        """Return a run, as far as it has been read; those that were asked for last are kept.

        Raises:
            UnknownRunError: There is none of this name.
        """
        path = self._folders.path(name)
        with self._lock:
            if name not in self._readings:
                self._readings[name] = Reading(path)
                if len(self._readings) > MOST_READINGS:
                    self._readings.popitem(last=False)
            self._readings.move_to_end(name)
            return self._readings[name]


async def news(reading: Reading, interval_s: float, is_ending: Callable[[], bool]) -> AsyncIterator[str]:
    """Yield what is new of a run, as server-sent events, for as long as somebody listens.

    Args:
        reading: The run.
        interval_s: Between two looks.
        is_ending: Says whether there is to be another one.
    """
    feed, quiet_s = Feed(reading), 0.0

    def look() -> str | None:
        with reading.lock:
            reading.refresh()
            found = feed.news()
            return None if found is None else to_json(found)

    while not is_ending():
        text = await run_sync(look)
        quiet_s = 0.0 if text is not None else quiet_s + interval_s
        if text is not None:
            yield f"data: {text}\n\n"  # JSON has no line ends
        elif quiet_s >= QUIET_S:
            quiet_s = 0.0
            yield ": nothing new\n\n"  # a client that is gone is noticed
        await anyio.sleep(interval_s)


def make_app(
    folders: RunFolders,
    *,
    token: str,
    port: int,
    is_ending: Callable[[], bool] = lambda: False,
) -> Starlette:
    """Return the application.

    Args:
        folders: The runs that are meant.
        token: What whoever asks has to know.
        port: Of the server.
        is_ending: Says whether the server is to end.
    """
    return Starlette(
        routes=[*Watch(folders, is_ending).routes(), *Episodes(folders).routes()],
        middleware=[Middleware(Access, token=token, port=port)],
        exception_handlers={UnknownRunError: _unknown},
    )


def _json(value: object) -> Response:
    return Response(to_json(value), media_type="application/json")


async def _unknown(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 404)
