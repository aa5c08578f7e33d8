from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.cage2.attackers.errors import AttackerError
from pipeline.cage2.cyborg.env import CyborgEnv, EpisodeNotStartedError
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CYBORGS = {
    "B_lineAgent": "csle_cyborg.agents.simple_agents.b_line:B_lineAgent",
    "RedMeanderAgent": "csle_cyborg.agents.simple_agents.meander:RedMeanderAgent",
}
OWN = {
    "B_lineAgent": "pipeline.cage2.attackers.b_line:BLine",
    "RedMeanderAgent": "pipeline.cage2.attackers.meander:Meander",
}
HEAD = """
from csle_cyborg.agents.simple_agents.base_agent import BaseAgent
from csle_cyborg.shared.actions import DiscoverRemoteSystems, Impact, Sleep

class Mine(BaseAgent):
    made = 0
    def __init__(self):
        type(self).made += 1
        self.step = 0
    def set_initial_values(self, action_space, observation):
        assert set(observation) == {"success"} and action_space["session"] > 0
    def end_episode(self): ...
    def get_action(self, observation, action_space):
        self.step += 1
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def written(last_line: str) -> str:
        path = tmp_path / "red.py"
        path.write_text(f"{HEAD}        {last_line}\n")
        return f"{path}:Mine"

    return written


def play(env: CyborgEnv, seed: int, num_steps: int = 60) -> list[object]:
    rng = random.Random(seed)  # noqa: S311 - a game, no secret
    seen: list[object] = [env.reset(seed).tolist()]
    for _ in range(num_steps):
        observation, reward = env.step(rng.randrange(spec.NUM_ACTIONS))
        seen.append((observation.tolist(), reward, env.red_hosts(), env.generator))
    return seen


@pytest.mark.parametrize("form", [CYBORGS, OWN])
@pytest.mark.parametrize("name", ["B_lineAgent", "RedMeanderAgent"])
def test_the_built_in_agents_by_name_play_as_they_do_themselves(form: dict[str, str], name: str) -> None:
    named, built_in = CyborgEnv(form[name]), CyborgEnv(name)
    for seed in (3, 4, 3):
        assert play(named, seed) == play(built_in, seed)


def test_it_is_made_anew_for_every_episode(write: Callable[[str], str]) -> None:
    env = CyborgEnv(write("assert self.step <= 2; return Sleep()"))
    for seed in range(3):
        env.reset(seed)
        env.step(0)
        env.step(0)
        assert type(env.red.agent).made == seed + 1


def test_it_draws_from_the_game(write: Callable[[str], str]) -> None:
    env, asleep = CyborgEnv(write("import random; random.random(); return Sleep()")), CyborgEnv("SleepAgent")
    before = random.getstate()
    for one in (env, asleep):
        one.reset(1)
        one.step(0)
    assert random.getstate() == before
    assert env.generator is not None
    expected = random.Random()  # noqa: S311
    expected.setstate(asleep.generator)  # type: ignore[arg-type]  # started
    expected.random()
    assert env.generator[1] == expected.getstate()[1]


def test_what_it_does_not_know_it_is_refused(write: Callable[[str], str]) -> None:
    env = CyborgEnv(write("return Impact(session=0, agent='Red', hostname='Op_Server0')"))
    env.reset(1)
    before = env.generator
    env.step(0)
    assert type(env.red_action).__name__ == "Sleep"
    assert env._red_observation.data["success"] == False  # noqa: E712  # an enum
    assert env.generator == before


@pytest.mark.parametrize(
    ("last_line", "told"),
    [
        (
            "return None",
            "returned None, not an action of CybORG's: .*, in step 1 of the episode with environment seed 6",
        ),
        ("return Sleep() if self.step < 4 else 1 / 0", "ZeroDivisionError.*\nraised by .*, in step 4 of the episode"),
        ("raise SystemExit", "SystemExit\nraised by"),
    ],
)
def test_failures_are_told_and_end_the_episode(last_line: str, told: str, write: Callable[[str], str]) -> None:
    env = CyborgEnv(write(last_line))
    env.reset(6)
    with pytest.raises(AttackerError, match=told):
        play(env, 6)
    with pytest.raises(EpisodeNotStartedError):
        env.step(0)
    env.reset(6)


def test_one_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    path = tmp_path / "red.py"
    path.write_text("class Mine:\n    def __init__(self): raise LookupError('no weights')\n    get_action = None")
    env = CyborgEnv(f"{path}:Mine")
    with pytest.raises(AttackerError, match=r"LookupError: no weights\nraised by .*, before the first step of"):
        env.reset(0)


FALLIBLE = """
class Mine:
    made = 0
    def __init__(self, generator):
        self.generator = generator
        generator.random()
        type(self).made += 1
        if type(self).made == 2:
            raise LookupError
    def choose(self, knowledge):
        if self.generator.random() < 0.1:
            raise LookupError
        return "DiscoverRemoteSystems", "User"
"""


@pytest.mark.parametrize("seed", range(4))
def test_the_generator_goes_on_after_a_failure_as_on_the_engine(seed: int, tmp_path: Path) -> None:
    envs: list[CyborgEnv | FastEnv] = []
    seen: list[list[object]] = []
    for make, file in ((CyborgEnv, "a.py"), (FastEnv, "b.py")):
        (tmp_path / file).write_text(FALLIBLE)
        envs.append(make(f"{tmp_path}/{file}:Mine"))
        seen.append([])
        for each in (seed, None, None, None):
            try:
                envs[-1].reset(each)
                for _ in range(60):
                    seen[-1].append(envs[-1].step(0)[1])
            except AttackerError:
                seen[-1].append(envs[-1].generator)
            with pytest.raises(RuntimeError):
                envs[-1].step(0)
    assert seen[0] == seen[1]


def test_a_generator_that_is_given_starts_no_episode() -> None:
    env = CyborgEnv("SleepAgent")
    env.generator = random.getstate()
    with pytest.raises(EpisodeNotStartedError):
        env.step(0)


def test_one_that_was_written_for_cyborg_by_its_name_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [each for each in sys.meta_path if not hasattr(each, "is_csles")])
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "helper_of_red.py").write_text("from CybORG.Agents import B_lineAgent")
    (tmp_path / "red.py").write_text("import helper_of_red\n\nclass Mine(helper_of_red.B_lineAgent): ...\n")
    mine, theirs = CyborgEnv(f"{tmp_path}/red.py:Mine"), CyborgEnv("B_lineAgent")
    for env in (mine, theirs):
        env.reset(3)
    assert [mine.step(0)[1] for _ in range(30)] == [theirs.step(0)[1] for _ in range(30)]
