from __future__ import annotations

import random
import sys

import numpy as np
import pytest

from pipeline.cage2.cyborg import upstream_name
from pipeline.cage2.cyborg.env import CyborgEnv, EpisodeNotStartedError
from pipeline.cage2.cyborg.raw_env import RawCyborgEnv
from pipeline.extras import NotInstalledError


@pytest.mark.parametrize("red_agent", ["B_lineAgent", "RedMeanderAgent"])
def test_it_is_the_same_game_as_behind_the_adapter(red_agent: str) -> None:
    raw, env = RawCyborgEnv(red_agent), CyborgEnv(red_agent)
    rng = np.random.default_rng(1)
    for seed in (3, 4):
        raw.reset(seed)
        env.reset(seed)
        for action in rng.integers(0, 145, 50).tolist():
            kept = random.getstate()
            _, reward = raw.step(raw.actions[action])
            assert reward == env.step(action)[1]
            assert raw._generator == env.generator
            assert random.getstate() == kept


def test_blue_is_told_what_cyborg_tells_it() -> None:
    """As CybORG's own agent sees it: Monitor reports processes, Restore success."""
    raw = RawCyborgEnv("B_lineAgent")
    told = raw.reset(3)
    assert told["User0"]["System info"]["Hostname"] == "User0"
    assert "Blue" in {session["Agent"] for session in told["Defender"]["Sessions"]}
    seen = [raw.step(raw.actions[1])[0] for _ in range(10)]
    assert all(str(each["success"]) == "TRUE" for each in seen)
    assert any("Processes" in host for each in seen for host in each.values() if isinstance(host, dict))
    assert "session" in raw.action_space


def test_it_has_to_be_started() -> None:
    raw = RawCyborgEnv("SleepAgent")
    with pytest.raises(EpisodeNotStartedError):
        raw.step(raw.actions[0])


def test_csles_under_upstreams_name_is_not_upstream(monkeypatch: pytest.MonkeyPatch) -> None:
    for installed in (False, True):
        if installed:
            monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
            upstream_name.install()
        with pytest.raises(NotInstalledError):
            RawCyborgEnv("SleepAgent", "upstream")
