from __future__ import annotations

import copy
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import error
from gymnasium.utils.env_checker import check_env

from pipeline.cage2.facts import spec
from pipeline.cage2.gym.games import OptionError
from pipeline.cage2.text.env import MAX_MISTAKES

TEXT = "pipeline.cage2.gym:Cage2Text-v0"


def make(**options: Any) -> Any:
    return gymnasium.make(TEXT, **options)


@pytest.mark.parametrize("names_seed", [None, 4])
@pytest.mark.parametrize(
    ("red_agent", "engine", "profile"),
    [
        ("B_lineAgent", "fast", "leaderboard"),
        ("RedMeanderAgent", "fast", "head"),
        ("RedMeanderAgent", "cyborg", "head"),
    ],
)
def test_it_is_the_game_in_other_words(red_agent: str, engine: str, profile: str, names_seed: int | None) -> None:
    options = {"red_agent": red_agent, "engine": engine, "profile": profile}
    env = make(**options, names_seed=names_seed, episode_steps=40)
    game: Any = gymnasium.make("pipeline.cage2.gym:Cage2-v0", **options)
    actions = env.unwrapped.names.actions
    drawn = np.random.default_rng(0).integers(spec.NUM_ACTIONS, size=40).tolist()
    env.reset(seed=5)
    game.reset(seed=5)
    for step, action in enumerate(drawn, 1):
        observation, reward, terminated, truncated, info = env.step(actions[action])
        assert (reward, info["action"], info["mistake"]) == (game.step(action)[1], action, None)
        assert (terminated, truncated) == (False, step == 40)
        assert observation.startswith(f"Steps left: {40 - step}\n")
        assert env.unwrapped.view() == game.unwrapped.view()


def test_gymnasiums_own_check_passes() -> None:
    check_env(make(names_seed=1).unwrapped, skip_render_check=True)


def test_a_mistake_plays_nothing_and_is_explained() -> None:
    env = make()
    shown, info = env.reset(seed=1)
    observation, reward, _, truncated, info = env.step("Retsore User1")
    assert observation == f"{info['mistake']} Nothing was played: answer again.\n{shown}"
    assert "do you mean Restore?" in info["mistake"]
    assert (reward, truncated, info["action"]) == (0.0, False, None)
    _, reward, _, _, info = env.step("Restore User1")
    assert (reward, info["action"]) == (-1.0, spec.RESTORE + 9)


def test_who_never_learns_comes_to_the_end_asleep() -> None:
    env, asleep = make(episode_steps=3), make(episode_steps=3)
    env.reset(seed=2)
    asleep.reset(seed=2)
    played = []
    truncated = False
    while not truncated:
        observation, _, _, truncated, info = env.step("\x00☠ to be or not")
        assert observation in env.observation_space
        played.append(info["action"])
    assert played == [*[None] * MAX_MISTAKES, spec.SLEEP] * 3
    for _ in range(3):
        expected = asleep.step("Sleep")[0]
    assert observation.endswith(f"Too often, so you slept.\n{expected}")


def test_a_good_answer_forgives_mistakes() -> None:
    env = make()
    env.reset(seed=2)
    for answers in (["?"] * MAX_MISTAKES, ["Sleep"], ["?"] * MAX_MISTAKES):
        actions = [env.step(answer)[4]["action"] for answer in answers]
    assert actions == [None] * MAX_MISTAKES


def test_a_reset_forgives_them_too() -> None:
    env = make()
    for _ in range(2):
        env.reset(seed=2)
        assert [env.step("?")[4]["action"] for _ in range(MAX_MISTAKES)] == [None] * MAX_MISTAKES


def test_a_copy_goes_on_by_itself() -> None:
    env = make()
    env.reset(seed=3)
    env.step("Sleep")
    other = copy.deepcopy(env)
    assert env.step("Monitor") == other.step("Monitor")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("episode_steps", value) for value in (0, "9", True, 2.5)),
        *(("names_seed", value) for value in (-1, 1.5, "42")),
        ("engine", "slow"),
    ],
)
def test_unsuitable_options_are_refused(name: str, value: Any) -> None:
    with pytest.raises(OptionError):
        make(**{name: value})


def test_what_is_no_text_is_refused() -> None:
    env = make()
    env.reset(seed=0)
    with pytest.raises(error.InvalidAction, match="an answer is a text, such as 'Restore User1', not 7"):
        env.step(7)


def test_a_step_needs_a_reset() -> None:
    with pytest.raises(error.ResetNeeded):
        make().unwrapped.step("Sleep")
    with pytest.raises(error.ResetNeeded):
        make().unwrapped.step("nonsense")
