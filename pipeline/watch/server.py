"""The server of the page: on this machine's own address alone, with a token that is made for it."""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING, Final

import uvicorn

from pipeline.errors import SetupError
from pipeline.watch.app import make_app

if TYPE_CHECKING:
    from pipeline.reading.folders import RunFolders

ADDRESS: Final = "127.0.0.1"
_GRACE_S: Final = 1
"""That answers in progress have when the server ends."""


class PortTakenError(SetupError):
    """The port can't be had."""

    def __init__(self, port: int, error: OSError) -> None:
        super().__init__(f"--port {port}: {error.strerror}. Choose another, or leave it out: one that is free is taken")


class Server:
    """A server that listens already, so that its address is known before it serves.

    Args:
        folders: The runs that are meant.
        port: To listen on; 0 for any that is free.

    Raises:
        PortTakenError: The port can't be had.
    """

    def __init__(self, folders: RunFolders, port: int = 0) -> None:
        self._socket = socket.socket()
        try:
            self._socket.bind((ADDRESS, port))
            self._socket.listen()
        except OSError as error:
            self._socket.close()
            raise PortTakenError(port, error) from None
        token, self.port = secrets.token_urlsafe(24), self._socket.getsockname()[1]
        self.address = f"http://{ADDRESS}:{self.port}/?token={token}"
        """To be opened; whoever knows it may look at the runs."""
        app = make_app(folders, token=token, port=self.port)
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
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Let `serve` return. May be called from another thread."""
        self._server.should_exit = True
