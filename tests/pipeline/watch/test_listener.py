from __future__ import annotations

import re

import pytest

from pipeline.watch.listener import Listener, PortTakenError


def test_an_address_is_of_this_machine_and_has_a_token_of_its_own() -> None:
    listeners = [Listener.open() for _ in range(2)]
    for listener in listeners:
        assert listener.socket.getsockname() == ("127.0.0.1", listener.port)
        assert re.fullmatch(rf"http://127\.0\.0\.1:{listener.port}/\?token=[\w-]{{32}}", listener.address)
        listener.close()
    assert len({listener.token for listener in listeners}) == 2


def test_a_port_that_is_taken_is_told() -> None:
    first = Listener.open()
    try:
        with pytest.raises(PortTakenError, match=rf"--port {first.port}: Address already in use. Choose another"):
            Listener.open(first.port)
    finally:
        first.close()
    Listener.open(first.port).close()
