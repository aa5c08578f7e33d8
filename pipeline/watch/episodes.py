"""Replays in the page: an episode of a run, and what another choice would have come to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.to_thread import run_sync
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

import pipeline.replay
from pipeline.errors import PipelineError
from pipeline.reading.folders import UnknownRunError
from pipeline.watch.wire import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from pipeline.reading.folders import RunFolders

STATIC: Final = Path(pipeline.replay.__path__[0]) / "static"
"""The modules that draw a replay, which `/replay/` has."""


class Episodes:
    """Plays what is asked for, one at a time: it takes seconds of a core that the run may want.

    Args:
        folders: The runs that are meant.
    """

    def __init__(self, folders: RunFolders) -> None:
        self._folders = folders
        self._thread = anyio.CapacityLimiter(1)

    def routes(self) -> list[BaseRoute]:
        """Return what is answered; a query is that of `replay.routes`."""
        return [
            Route("/api/runs/{name}/episode", self._episode),
            Route("/api/runs/{name}/fork", self._fork),
            Mount("/replay", StaticFiles(directory=STATIC)),
        ]

    async def _episode(self, request: Request) -> Response:
        from pipeline.replay import routes  # imports numba, which who looks at curves needn't wait for

        return await self._answer(request, routes.episode)

    async def _fork(self, request: Request) -> Response:
        from pipeline.replay import routes  # as above

        return await self._answer(request, routes.fork)

    async def _answer(self, request: Request, play: Callable[[Path, Mapping[str, str]], dict[str, Any]]) -> Response:
        def answer() -> str:
            return to_json(play(self._folders.path(request.path_params["name"]), request.query_params))

        try:
            text = await run_sync(answer, limiter=self._thread)
        except UnknownRunError:
            raise
        except PipelineError as error:
            return PlainTextResponse(str(error), 400)
        return Response(text, media_type="application/json")
