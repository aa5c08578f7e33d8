from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx

from pipeline.reading.folders import RunFolders
from pipeline.watch.listener import Listener
from pipeline.watch.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.watch.conftest import Writer


def test_it_serves_this_machine_until_it_is_stopped_with_clients_listening(tmp_path: Path, writer: Writer) -> None:
    writer.start()
    listener = Listener.open()
    server = Server(RunFolders(tmp_path), listener)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.port}", timeout=30) as client:
            assert client.get("/").status_code == 403
            answer = client.get(listener.address)
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
