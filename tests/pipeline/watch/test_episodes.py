from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.replay import routes
from pipeline.watch.episodes import STATIC

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.pipeline.conftest import MakeRun


def test_an_episode_and_a_fork_are_those_of_the_replay(client: TestClient, make_run: MakeRun) -> None:
    run_dir = make_run({17: 100}, best=17)
    query = {"seed": "3", "episode": "2", "steps": "12"}
    episode = client.get("/api/runs/run/episode", params=query)
    assert episode.status_code == 200
    told, played = episode.json(), routes.episode(run_dir, query)
    assert told["environment_seed"] == played["environment_seed"]
    assert [frame["total"] for frame in told["frames"]] == [frame["total"] for frame in played["frames"]]
    fork = client.get("/api/runs/run/fork", params={**query, "moment": "4", "choice": "Restore User1"})
    assert fork.json()["num_futures"] == 1000


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/api/runs/run/episode?episode=-1", 400, "episode"),
        ("/api/runs/run/episode?nothing=1", 400, "nothing"),
        ("/api/runs/run/fork?steps=5&moment=9", 400, "step 10"),
        ("/api/runs/none/episode", 404, "none"),
        ("/api/runs/%2e%2e/episode", 404, ""),
    ],
)
def test_what_can_not_be_shown_is_told(
    path: str, status: int, told: str, client: TestClient, make_run: MakeRun
) -> None:
    make_run({17: 100}, best=17)
    answer = client.get(path)
    assert answer.status_code == status
    assert told in answer.text


def test_the_modules_that_draw_it_are_served_and_guarded(client: TestClient, stranger: TestClient) -> None:
    for path in STATIC.iterdir():
        assert client.get(f"/replay/{path.name}").status_code == 200
    assert client.get("/replay/../page.py").status_code == 404
    stranger.cookies.clear()
    assert stranger.get("/replay/replay.js").status_code == 403
    assert stranger.get("/api/runs/run/episode").status_code == 403
