from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from pipeline.reading.folders import RunFolders
from pipeline.watch.server import PortTakenError, Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.watch.conftest import Writer


def test_it_serves_this_machine_until_it_is_stopped_with_clients_listening(tmp_path: Path, writer: Writer) -> None:
    writer.start()
    server = Server(RunFolders(tmp_path))
    assert re.fullmatch(rf"http://127\.0\.0\.1:{server.port}/\?token=[\w-]{{32}}", server.address)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
            assert client.get("/").status_code == 403
            answer = client.get(server.address)
            assert answer.status_code == 200
            assert "server" not in answer.headers
            with client.stream("GET", "/api/runs/run/news") as news:
                assert news.headers["content-type"].startswith("text/event-stream")
                lines = news.iter_lines()
                assert next(lines).startswith('data: {"reset":true')
                server.stop()
                assert not any(lines)
    finally:
        server.stop()
        thread.join(timeout=30)
    assert not thread.is_alive()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    first = Server(RunFolders(tmp_path))
    try:
        with pytest.raises(PortTakenError, match=rf"--port {first.port}: Address already in use"):
            Server(RunFolders(tmp_path), first.port)
    finally:
        first.close()


def test_every_server_has_a_token_of_its_own(tmp_path: Path) -> None:
    servers = [Server(RunFolders(tmp_path)) for _ in range(2)]
    assert len({server.address.partition("token=")[2] for server in servers}) == 2
    for server in servers:
        server.close()
