from __future__ import annotations

import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from pipeline.watch.browser import opened

ADDRESS = "http://127.0.0.1:1234/?token=a&b"


@pytest.fixture
def asked_to_open(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", asked.append)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return asked


def test_the_token_is_not_where_others_can_read_it(asked_to_open: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    with opened(ADDRESS):
        (address,) = asked_to_open
        path = Path(unquote(urlsplit(address).path))
        assert "token" not in address
        assert "http://127.0.0.1:1234/?token=a&amp;b" in path.read_text()
        assert path.parent.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()


def test_where_there_is_no_screen_no_browser_is_opened(
    asked_to_open: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with opened(ADDRESS):
        assert asked_to_open == []
