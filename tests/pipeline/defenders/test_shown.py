from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.names import Compromised
from pipeline.defenders.shown import NoTableError, WrongActionError, shown_game
from pipeline.play.game import GameSpec

FAST = GameSpec("RedMeanderAgent", "fast", "head", "csle", Compromised.FIXABLE, 30, Interface())
CYBORG = replace(FAST, engine="cyborg")
ENGINES = [FAST, CYBORG]
NUM_STEPS = 60


def actions(num: int = 145) -> list[int]:
    return np.random.default_rng(5).integers(0, num, NUM_STEPS).tolist()


@pytest.mark.parametrize("game", ENGINES, ids=["fast", "cyborg"])
@pytest.mark.parametrize("kind", ["stock", "corrected"])
def test_tables_are_the_games_own(game: GameSpec, kind: Any) -> None:
    shown, env = shown_game(game, kind), FastEnv(game.red_agent, "head", kind)
    observation, expected = shown.reset(9), env.reset(9)
    for action in actions():
        assert observation.dtype == np.int64
        assert observation.tolist() == expected.tolist()
        observation, reward, taken = shown.step(np.int32(action))
        expected, expected_reward = env.step(action)
        assert (reward, taken) == (expected_reward, action)
    assert shown.observation_size == 52
    assert shown.view.action_space == 145


@pytest.mark.parametrize("game", ENGINES, ids=["fast", "cyborg"])
def test_the_table_as_text_is_cyborgs(game: GameSpec) -> None:
    """Compared with what the gymnasium environment's view shows, which is compared with CybORG's own."""
    shown, plain = shown_game(game, "table"), shown_game(game, "stock")
    text, env = shown.reset(9), CyborgEnv(game.red_agent)
    bits, _ = plain.reset(9), env.reset(9)
    for action in actions():
        assert text == shown.view.blue_table() == plain.view.blue_table()
        assert len(text.splitlines()) == 17
        hosts = sorted(env.simulator.ip_addresses.values())
        address_of = {host: str(address) for address, host in env.simulator.ip_addresses.items()}
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[3:-1]]
        assert sorted(row[2] for row in rows) == hosts
        assert all(row[1] == address_of[row[2]] for row in rows)
        assert sum(row[3] != "None" or row[4] != "No" for row in rows) == bits.reshape(13, 4).any(axis=1).sum()
        text, _, _ = shown.step(action)
        bits, _, _ = plain.step(action)
        env.step(action)
    assert shown.observation_size is None


@pytest.mark.parametrize("chosen", ["all", "merged"])
def test_what_is_remembered_and_masked_is_the_environments(chosen: Any) -> None:
    options = {"observation_memory": True, "actions": chosen, "episode_steps": 30, "max_episode_steps": 30}
    env = gymnasium.make("pipeline.cage2.gym:Cage2-v0", red_agent=FAST.red_agent, **options).unwrapped
    games = [shown_game(game, "memory", chosen) for game in ENGINES]
    env.reset(seed=1)
    batch = env._game._batch  # type: ignore[attr-defined]
    batch.reset([9])  # as an evaluation resets: without the networks that CybORG draws when it is new
    env._blue.begin(np.zeros(1, np.int64), batch.observations)  # type: ignore[attr-defined]
    expected, info = env._show()  # type: ignore[attr-defined]
    observations = [game.reset(9) for game in games]
    for choice in actions(env.action_space.n)[:30]:  # type: ignore[attr-defined]
        for game, observation in zip(games, observations, strict=True):
            assert observation.tolist() == expected.tolist()
            assert game.view.action_mask().tolist() == info["action_mask"].astype(bool).tolist()
        observations = [game.step(choice)[0] for game in games]
        expected, _, _, _, info = env.step(choice)


def test_raw_observations_are_of_the_same_game() -> None:
    raw, env = shown_game(CYBORG, "raw"), CyborgEnv(CYBORG.red_agent)
    kept = random.getstate()
    observation, _ = raw.reset(9), env.reset(9)
    for place, action in enumerate(actions()):
        assert set(observation) == {"success", *(key for key in observation if key != "success")}
        assert set(raw.view.action_space) >= {"action", "hostname", "session"}
        given = action if place % 2 else raw._env.actions[action]  # type: ignore[attr-defined]
        observation, reward, taken = raw.step(given)
        _, expected = env.step(action)
        assert (reward, taken) == (expected, action)
        assert isinstance(observation, dict)
    assert random.getstate() == kept
    with pytest.raises(NoTableError):
        raw.view.blue_table()
    with pytest.raises(NoTableError):
        raw.view.action_mask()


WRONG = [145, -1, float("nan"), 3.0, None, "3", np.zeros(2, int), np.array([[1, 2]]), [3], np.float64(3), object]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize("kind", ["stock", "raw"])
def test_what_is_no_action_is_told_and_nothing_played(wrong: Any, kind: Any) -> None:
    game = shown_game(CYBORG if kind == "raw" else FAST, kind)
    game.reset(9)
    with pytest.raises(
        WrongActionError, match=f"it returned .*, of type {type(wrong).__name__}: an action is "
    ) as told:
        game.step(wrong)
    assert str(told.value).isprintable()
    shown_before, again = game.step(0), shown_game(CYBORG if kind == "raw" else FAST, kind)
    again.reset(9)
    assert shown_before[1:] == again.step(0)[1:]


@pytest.mark.parametrize("right", [3, np.int64(3), np.uint8(3), np.array(3)], ids=repr)
def test_what_stands_for_a_whole_number_is_one(right: Any) -> None:
    game = shown_game(FAST, "stock")
    game.reset(9)
    assert game.step(right)[2] == 3


def test_merged_actions_are_counted_by_themselves() -> None:
    game = shown_game(FAST, "stock", "merged")
    game.reset(9)
    with pytest.raises(WrongActionError, match="0 to 30"):
        game.step(31)
    assert game.step(30)[2] == 144
