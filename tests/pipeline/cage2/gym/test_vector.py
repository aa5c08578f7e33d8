"""`B` games at once are `B` games one by one, exactly, as gymnasium itself puts those together."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import error
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import UnknownRedAgentError
from pipeline.cage2.gym import ENV_ID
from pipeline.cage2.gym.games import OptionError
from pipeline.cage2.gym.spaces import InvalidActionError
from pipeline.cage2.gym.vector import Cage2VectorEnv

MEANDER = "pipeline.cage2.attackers.meander:Meander"
MY_RED = f"{Path(__file__).parents[4]}/examples/my_red.py:Mine"
MODES = tuple(AutoresetMode)
NUM_ENVS = 5


def make_both(mode: AutoresetMode = AutoresetMode.NEXT_STEP, **options: Any) -> tuple[Any, Any]:
    vector = gymnasium.make_vec(
        ENV_ID, NUM_ENVS, vectorization_mode="vector_entry_point", autoreset_mode=mode, **options
    )
    single = gymnasium.make_vec(
        ENV_ID, NUM_ENVS, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **options
    )
    return vector, single


def assert_same(ours: Any, theirs: Any, where: object = "") -> None:
    assert len(ours) == len(theirs)
    for our_part, their_part in zip(ours, theirs, strict=True):
        assert data_equivalence(normal(our_part), normal(their_part), exact=True), (where, our_part, their_part)


def normal(part: Any) -> Any:
    """gymnasium's comparison takes neither None in arrays of objects, nor order."""
    if isinstance(part, dict):
        return {name: normal(part[name]) for name in sorted(part)}
    return [normal(entry) for entry in part] if isinstance(part, np.ndarray) and part.dtype == object else part


def actions(rng: np.random.Generator, num_actions: int = spec.NUM_ACTIONS) -> Any:
    return rng.integers(0, num_actions, NUM_ENVS)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "options",
    [
        {"red_agent": "B_lineAgent"},
        {"red_agent": "RedMeanderAgent", "observation": "corrected", "max_episode_steps": 7},
        {"red_agent": "RedMeanderAgent", "profile": "leaderboard", "max_episode_steps": 40},
        {"red_agent": "SleepAgent", "max_episode_steps": 1},
        {"red_agent": "Mixed", "max_episode_steps": 9, "observation_memory": True, "episode_steps": 9},
        {"red_agent": "Mixed", "max_episode_steps": 30, "observation_memory": True, "actions": "merged"},
        {"max_episode_steps": 150, "actions": "merged"},
        {"red_agent": f"{MEANDER},B_lineAgent,{MY_RED}", "max_episode_steps": 9},
    ],
)
def test_it_is_gymnasium_s_own_vector_of_single_games(mode: AutoresetMode, options: dict[str, Any]) -> None:
    vector, single = make_both(mode, **options)
    rng = np.random.default_rng(0)
    assert_same(vector.reset(seed=3), single.reset(seed=3))
    for step in range(230):
        chosen = actions(rng, int(vector.single_action_space.n))
        ours = vector.step(chosen)
        assert_same(ours, single.step(chosen), step)
        if mode is AutoresetMode.DISABLED and ours[3].any():
            assert_same(vector.reset(), single.reset(), step)


@pytest.mark.parametrize("red_agent", ["RedMeanderAgent", f"{MEANDER},SleepAgent"])
@pytest.mark.parametrize("mode", MODES)
def test_games_out_of_step_with_one_another(mode: AutoresetMode, red_agent: str) -> None:
    """Some are reset in mid-episode, with seeds or without, so that they end at different times from then on."""
    vector, single = make_both(mode, max_episode_steps=9, red_agent=red_agent)
    rng = np.random.default_rng(1)
    assert_same(vector.reset(seed=[1, 2, 3, 2**40, -5]), single.reset(seed=[1, 2, 3, 2**40, -5]))
    num_partial = 0
    for step in range(150):
        chosen = actions(rng)
        ours = vector.step(chosen)
        assert_same(ours, single.step(chosen), step)
        ended = ours[3]
        num_partial += 0 < ended.sum() < NUM_ENVS
        mask = ended if mode is AutoresetMode.DISABLED else np.zeros(NUM_ENVS, dtype=np.bool_)
        if step % 20 == 4:
            mask = mask | (rng.random(NUM_ENVS) < 0.5)
        if mask.any():
            seed = [int(one) if one % 2 else None for one in rng.integers(0, 100, NUM_ENVS)]
            resets = [games.reset(seed=seed, options={"reset_mask": mask.copy()}) for games in (vector, single)]
            assert_same(*resets, step)
    assert num_partial


def test_spaces_and_metadata() -> None:
    vector, single = make_both()
    assert vector.metadata == single.metadata
    assert vector.num_envs == NUM_ENVS
    for name in ("observation_space", "action_space", "single_observation_space", "single_action_space"):
        assert getattr(vector, name) == getattr(single, name)
    assert vector.observation_space == batch_space(vector.single_observation_space, NUM_ENVS)
    assert isinstance(vector.unwrapped, Cage2VectorEnv)
    assert (
        gymnasium.make_vec(ENV_ID, 2, autoreset_mode="SameStep").metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    )
    vector.close()
    vector.close()


def test_what_was_given_is_the_caller_s_own() -> None:
    vector, single = make_both(AutoresetMode.SAME_STEP, max_episode_steps=3)
    given = [vector.reset(seed=0)]
    expected = [single.reset(seed=0)]
    rng = np.random.default_rng(0)
    for _ in range(7):
        chosen = actions(rng)
        given.append(vector.step(chosen))
        expected.append(single.step(chosen))
    for ours, theirs in zip(given, expected, strict=True):  # none was written over by what came later
        assert_same(ours, theirs)


def test_an_episode_may_be_without_end() -> None:
    vector, _ = make_both(max_episode_steps=-1)
    vector.reset()
    rng = np.random.default_rng(0)
    assert not any(vector.step(actions(rng))[3].any() for _ in range(300))


def test_views_and_masks_are_those_of_single_games() -> None:
    vector, single = make_both(max_episode_steps=6)
    rng = np.random.default_rng(0)
    vector.reset(seed=0)
    single.reset(seed=0)
    for _ in range(10):
        chosen = actions(rng)
        vector.step(chosen)
        _, _, _, _, infos = single.step(chosen)
    np.testing.assert_array_equal(vector.action_masks(), infos["action_mask"])
    for index, env in enumerate(single.envs):
        assert vector.view(index) == env.unwrapped.view()


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_every_game_is_rendered(mode: str) -> None:
    vector, single = make_both(render_mode=mode)
    for games in (vector, single):
        games.reset(seed=0)
        games.step(np.arange(NUM_ENVS))
    for ours, theirs in zip(vector.render(), single.render(), strict=True):
        assert np.array_equal(ours, theirs)


def test_without_a_render_mode_nothing_is() -> None:
    vector = gymnasium.make_vec(ENV_ID, 2)
    vector.reset()
    assert vector.render() is None


@pytest.mark.parametrize(
    "chosen", [[0] * 4, [0.0] * NUM_ENVS, [0, 0, 0, 0, 145], [-1, 0, 0, 0, 0], 3, [[0] * NUM_ENVS]]
)
def test_other_actions_are_refused_and_change_nothing(chosen: Any) -> None:
    vector, single = make_both()
    vector.reset(seed=0)
    single.reset(seed=0)
    with pytest.raises(InvalidActionError, match="from 0 to 144"):
        vector.step(chosen)
    right = np.zeros(NUM_ENVS, dtype=np.int64)
    assert_same(vector.step(right), single.step(right))


def test_nothing_goes_before_a_reset_or_after_the_end() -> None:
    vector, _ = make_both(AutoresetMode.DISABLED, max_episode_steps=1)
    right = np.zeros(NUM_ENVS, dtype=np.int64)
    for call in (lambda: vector.step(right), lambda: vector.view(0)):
        with pytest.raises(error.ResetNeeded, match="reset"):
            call()
    vector.reset()
    vector.step(right)
    with pytest.raises(error.ResetNeeded, match="reset_mask"):
        vector.step(right)


@pytest.mark.parametrize("mask", [np.zeros(NUM_ENVS, dtype=np.bool_), np.ones(3, dtype=np.bool_), [True] * NUM_ENVS])
def test_a_mask_of_another_kind_is_refused(mask: Any) -> None:
    vector, _ = make_both()
    with pytest.raises(OptionError, match="reset_mask"):
        vector.reset(options={"reset_mask": mask})


def test_what_can_t_be_made() -> None:
    with pytest.raises(OptionError, match="vectorization_mode='sync'"):
        gymnasium.make_vec(ENV_ID, 2, engine="cyborg")
    with pytest.raises(OptionError, match="1 or more"):
        Cage2VectorEnv(0)
    with pytest.raises(UnknownRedAgentError):
        gymnasium.make_vec(ENV_ID, 2, red_agent="Green")
    with pytest.raises(OptionError, match="3 seeds for 2"):
        Cage2VectorEnv(2).reset(seed=[1, 2, 3])


def test_cyborg_can_be_played_as_a_vector_of_single_games() -> None:
    fast = gymnasium.make_vec(ENV_ID, 2, max_episode_steps=5)
    cyborg = gymnasium.make_vec(ENV_ID, 2, vectorization_mode="sync", engine="cyborg", max_episode_steps=5)
    assert_same(fast.reset(seed=1), cyborg.reset(seed=1))
    for action in range(20, 32):
        chosen = np.array([action, action + 100])
        assert_same(fast.step(chosen), cyborg.step(chosen))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda games: pickle.loads(pickle.dumps(games))])  # noqa: S301
def test_a_copy_goes_on_by_itself(copied: Any) -> None:
    vector, single = make_both(red_agent="Mixed", observation_memory=True, actions="merged", max_episode_steps=20)
    vector.reset(seed=0)
    single.reset(seed=0)
    branch = copied(vector)
    rng = np.random.default_rng(0)
    for _ in range(50):
        vector.step(rng.integers(0, 31, NUM_ENVS))
        chosen = rng.integers(0, 31, NUM_ENVS)
        assert_same(branch.step(chosen), single.step(chosen))


def test_the_action_of_a_game_that_starts_anew_does_not_count() -> None:
    vector, single = make_both(max_episode_steps=2)
    for games in (vector, single):
        games.reset(seed=0, options={"reset_mask": np.ones(NUM_ENVS, dtype=np.bool_)})
        games.step(np.zeros(NUM_ENVS, dtype=np.int64))
        games.reset(options={"reset_mask": np.arange(NUM_ENVS) == 1})
        assert games.step(np.zeros(NUM_ENVS, dtype=np.int64))[3].tolist() == [True, False, True, True, True]
    placeholders = np.array([-1, 3, 999, -1, 145])
    assert_same(vector.step(placeholders), single.step(placeholders))
    with pytest.raises(InvalidActionError):
        vector.step(placeholders)
