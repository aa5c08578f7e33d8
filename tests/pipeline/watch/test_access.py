from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.watch.access import HEADERS
from tests.pipeline.watch.conftest import ADDRESS, PORT, TOKEN

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.pipeline.watch.conftest import Writer

PATHS = ["/", "/api/runs", "/api/runs/run", "/api/runs/run/news", "/static/main.js", "/none"]


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(stranger: TestClient) -> None:
    answer = stranger.get(f"/?token={TOKEN}")
    assert answer.status_code == 200
    assert answer.headers["set-cookie"] == f"cage2-watch-{PORT}={TOKEN}; Path=/; HttpOnly; SameSite=Strict"
    assert stranger.get("/").status_code == 200
    assert "set-cookie" not in stranger.get("/").headers


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_answered(path: str, stranger: TestClient, writer: Writer) -> None:
    for cookie in ("", f"cage2-watch-{PORT}=wrong", f"other={TOKEN}", "cage2-watch-8000=\xff", ";;=,"):
        answer = stranger.get(path, headers={"cookie": cookie.encode("latin-1")})
        assert answer.status_code == 403
        assert "run.py watch" in answer.text


@pytest.mark.parametrize(
    "query", ["token=wrong", "token=", "token=other", "token=wrong&token=right", "x=right", "token=%ff"]
)
def test_a_wrong_token_is_refused(query: str, stranger: TestClient) -> None:
    assert stranger.get(f"/?{query}").status_code == 403


def test_the_token_opens_the_page_alone(stranger: TestClient) -> None:
    assert stranger.get(f"/api/runs?token={TOKEN}").status_code == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", ""])
def test_a_name_that_was_made_to_lead_here_is_refused(host: str, path: str, client: TestClient) -> None:
    assert client.get(path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "https://127.0.0.1:8000", "http://127.0.0.1:8001", "http://localhost:8000"],
)
def test_other_pages_are_refused(origin: str, client: TestClient) -> None:
    assert client.get("/api/runs", headers={"origin": origin}).status_code == 403


def test_the_page_itself_may_ask(client: TestClient) -> None:
    assert client.get("/api/runs", headers={"origin": ADDRESS}).status_code == 200
    local = {"host": f"localhost:{PORT}", "origin": f"http://localhost:{PORT}", "cookie": f"cage2-watch-{PORT}={TOKEN}"}
    assert client.get("/api/runs", headers=local).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_can_be_changed(method: str, path: str, client: TestClient) -> None:
    assert client.request(method, path).status_code in (404, 405)


@pytest.mark.parametrize("path", PATHS[:3] + PATHS[4:])
def test_every_answer_tells_browsers_to_load_nothing_from_elsewhere(path: str, client: TestClient) -> None:
    for answer in (client.get(path), client.get(path, headers={"host": "evil.example"})):
        assert answer.headers.items() >= HEADERS.items()
        assert "access-control-allow-origin" not in answer.headers
