"""Where the page is: an address of this machine alone, with a token. The standard library is all that it needs."""

from __future__ import annotations

import secrets
import socket
from typing import Final, Self

from pipeline.errors import SetupError

HOST: Final = "127.0.0.1"


class PortTakenError(SetupError):
    """The port can't be had."""

    def __init__(self, port: int, error: OSError) -> None:
        super().__init__(f"--port {port}: {error.strerror}. Choose another, or leave it out: one that is free is taken")


class Listener:
    """A socket that listens, so that its address can be opened before anybody answers there.

    Args:
        listening: The socket.
        token: What whoever asks has to know.
    """

    def __init__(self, listening: socket.socket, token: str) -> None:
        self.socket = listening
        self.token = token
        self.port: int = listening.getsockname()[1]

    @classmethod
    def open(cls, port: int = 0) -> Self:
        """Listen, with a new token.

        Args:
            port: 0 for one that is free.

        Raises:
            PortTakenError: The port can't be had.
        """
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of a server that has just ended
        try:
            listening.bind((HOST, port))
            listening.listen()
        except OSError as error:
            listening.close()
            raise PortTakenError(port, error) from None
        return cls(listening, secrets.token_urlsafe(24))

    @property
    def address(self) -> str:
        """To be opened; whoever knows it may look at the runs."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    def close(self) -> None:
        """Let go of the port."""
        self.socket.close()
