"""A folder of logs, and the page's application over it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from pipeline.reading.folders import RunFolders
from pipeline.watch.app import make_app
from tests.pipeline.reading.conftest import Writer, finish, writer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would rather have a successor of httpx, which few have
    from starlette.testclient import TestClient

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Writer", "finish", "writer"]
TOKEN = "right"  # noqa: S105 - of a server that is never started
PORT = 8000
ADDRESS = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def stranger(tmp_path: Path) -> TestClient:
    """Somebody who doesn't know the token."""
    app = make_app(RunFolders(tmp_path), token=TOKEN, port=PORT)
    return TestClient(app, base_url=ADDRESS)


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    """A browser that has opened the page."""
    assert stranger.get(f"/?token={TOKEN}").status_code == 200
    return stranger
