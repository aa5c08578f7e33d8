"""The server of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import uvicorn

from pipeline.watch.app import make_app

if TYPE_CHECKING:
    from pipeline.reading.folders import RunFolders
    from pipeline.watch.listener import Listener

_GRACE_S: Final = 5
"""That answers in progress have when the server ends."""


class Server:
    """Serves the page.

    Args:
        folders: The runs that are meant.
        listener: Where it is; closed when serving is over.
    """

    def __init__(self, folders: RunFolders, listener: Listener) -> None:
        self._listener = listener
        app = make_app(folders, token=listener.token, port=listener.port, is_ending=lambda: self._server.should_exit)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_level="error",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )

    def serve(self) -> None:
        """Serve until a signal ends it, or `stop` is called."""
        try:
            self._server.run(sockets=[self._listener.socket])
        finally:
            self._listener.close()

    def stop(self) -> None:
        """Let `serve` return. May be called from another thread."""
        self._server.should_exit = True
