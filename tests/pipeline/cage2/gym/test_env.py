from __future__ import annotations

import copy
import pickle
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium import error
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_checker import data_equivalence as same

from pipeline.cage2.cyborg.env import load_cyborg
from pipeline.cage2.engine.outsiders import UnsavedAttackerError
from pipeline.cage2.facts import spec
from pipeline.cage2.gym import ENV_ID
from pipeline.cage2.gym.env import Cage2GymEnv
from pipeline.cage2.gym.spaces import InvalidActionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

ENGINES = ("fast", "cyborg")


class StockGame:
    """CybORG as a user plays it, with the global generator lent to it for each call."""

    def __init__(self, red_agent: str, seed: int) -> None:
        cyborg = load_cyborg("csle")
        from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper

        kept = random.getstate()
        random.seed(seed)
        main = cyborg.main(cyborg.scenario, "sim", agents={"Red": getattr(cyborg.agents, red_agent)})
        self.wrapper = ChallengeWrapper(env=main, agent_name="Blue")
        self._state = random.getstate()
        random.setstate(kept)

    def call(self, method: str, *args: Any) -> Any:
        kept = random.getstate()
        random.setstate(self._state)
        result = getattr(self.wrapper, method)(*args)
        self._state = random.getstate()
        random.setstate(kept)
        return result

    def red_hosts(self) -> list[bool]:
        state = self.wrapper.get_attr("environment_controller").state
        held = {session.host for session in state.sessions["Red"].values()}
        return [name in held for name in spec.HOST_NAMES]

    def decoy_placed(self) -> bool:
        return bool(self.wrapper.env.env.env.success == True)  # noqa: E712 - one of CybORG's three truth values


def actions(seed: int, num: int) -> list[int]:
    return np.random.default_rng(seed).integers(0, spec.NUM_ACTIONS, num).tolist()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("render_mode", [None, "ansi", "rgb_array"])
def test_gymnasium_finds_no_fault(engine: str, render_mode: str | None) -> None:
    check_env(gymnasium.make(ENV_ID, engine=engine, render_mode=render_mode).unwrapped)


def sb3_checker() -> Any:
    return pytest.importorskip("stable_baselines3.common.env_checker", reason="an extra: sb3")


@pytest.mark.parametrize("engine", ENGINES)
def test_stable_baselines3_finds_no_fault(engine: str) -> None:
    sb3_checker().check_env(gymnasium.make(ENV_ID, engine=engine))


@pytest.mark.parametrize(("red_agent", "seed"), [("B_lineAgent", 4), ("RedMeanderAgent", 2**63), ("SleepAgent", -5)])
def test_it_is_cyborg_seeded_built_wrapped_and_reset(red_agent: str, seed: int) -> None:
    """Episode after episode, and nothing of the program's own random numbers is used up."""
    before = random.getstate()
    envs = [gymnasium.make(ENV_ID, red_agent=red_agent, engine=engine) for engine in ENGINES]
    stock = StockGame(red_agent, seed)
    for episode, num_steps in enumerate((100, 30, 40)):
        shown = [env.reset(seed=None if episode else seed) for env in envs]
        expected, _ = stock.call("reset")
        for action in actions(episode, num_steps):
            for observation, info in shown:
                np.testing.assert_array_equal(observation, expected)
                assert info["red_hosts"].tolist() == stock.red_hosts()
            masks = [info["action_mask"] for _, info in shown]
            steps = [env.step(action) for env in envs]
            expected, expected_reward, *_ = stock.call("step", action)
            for mask, (_, reward, terminated, *_) in zip(masks, steps, strict=True):
                assert isinstance(reward, float)
                assert str(reward) == str(float(expected_reward))
                assert not terminated
                assert mask[action] == (stock.decoy_placed() if spec.DECOY <= action < spec.RESTORE else 1)
            shown = [(observation, info) for observation, *_, info in steps]
        assert [truncated for *_, truncated, _ in steps] == [num_steps == 100] * len(envs)
    assert random.getstate() == before


def test_both_engines_show_the_same() -> None:
    envs = [gymnasium.make(ENV_ID, red_agent="RedMeanderAgent", engine=engine) for engine in ENGINES]
    for seed in (7, None):
        first, second = (env.reset(seed=seed) for env in envs)
        assert same(first, second, exact=True)
        for action in actions(0, 60):
            first, second = (env.step(action) for env in envs)
            assert same(first, second, exact=True)
        assert envs[0].unwrapped.view() == envs[1].unwrapped.view()


def test_the_corrected_table_shows_scans_that_new_decoys_hide() -> None:
    """The same game on both engines, watched through both tables; decoys all the time, so that some hide something."""
    num_hidden = 0
    for seed in range(40):
        moves = np.random.default_rng(seed).integers(spec.DECOY, spec.RESTORE, 30).tolist()
        stock, corrected = played = [
            watch(moves, seed, engine="fast", observation=observation) for observation in ("stock", "corrected")
        ]
        for step, host in np.argwhere((stock != corrected).any(axis=2)):
            num_hidden += 1
            assert stock[step, host].tolist() == [0, 0, *corrected[step, host, 2:]]
            assert corrected[step, host, :2].tolist() == [1, 0]
        if not np.array_equal(stock, corrected):
            for observation, expected in zip(("stock", "corrected"), played, strict=True):
                shown = watch(moves, seed, engine="cyborg", observation=observation)
                np.testing.assert_array_equal(shown, expected)
    assert num_hidden


def watch(moves: list[int], seed: int, **options: Any) -> npt.NDArray[np.float32]:
    env = gymnasium.make(ENV_ID, red_agent="RedMeanderAgent", **options)
    env.reset(seed=seed)
    return np.stack([env.step(action)[0] for action in moves]).reshape(-1, spec.NUM_HOSTS, spec.BITS_PER_HOST)


def test_the_leaderboard_game_is_another_one() -> None:
    envs = [gymnasium.make(ENV_ID, red_agent="RedMeanderAgent", profile=profile) for profile in ("head", "leaderboard")]
    returns: list[list[float]] = [[], []]
    for seed in range(10):
        moves = np.random.default_rng(seed).integers(spec.RESTORE, spec.NUM_ACTIONS, 100).tolist()
        for env, episodes in zip(envs, returns, strict=True):
            env.reset(seed=seed)
            episodes.append(sum(env.step(action)[1] for action in moves))
    assert returns[0] != returns[1]


def test_spaces_are_cyborg_s() -> None:
    env, stock = gymnasium.make(ENV_ID), StockGame("SleepAgent", 0).wrapper
    assert env.observation_space == stock.observation_space
    assert env.action_space == stock.action_space
    assert env.reset()[0].dtype == env.observation_space.dtype


def test_masks_are_for_sampling_and_for_maskable_ppo() -> None:
    env = gymnasium.make(ENV_ID, red_agent="SleepAgent")
    _, info = env.reset(seed=0)
    assert env.action_space.contains(env.action_space.sample(mask=info["action_mask"]))
    np.testing.assert_array_equal(env.unwrapped.action_masks(), info["action_mask"])
    decoy = spec.ACTION_NAMES.index("DecoyApache Op_Host1")
    assert info["action_mask"][decoy] == 1
    info = env.step(decoy)[4]
    assert info["action_mask"][decoy] == 0
    info = env.step(spec.ACTION_NAMES.index("Restore Op_Host1"))[4]
    assert info["action_mask"][decoy] == 1


@pytest.mark.parametrize("max_episode_steps", [1, 30, 130])
def test_an_episode_is_as_long_as_asked(max_episode_steps: int) -> None:
    env = gymnasium.make(ENV_ID, max_episode_steps=max_episode_steps)
    for _ in range(2):
        env.reset()
        ends = [env.step(0)[3] for _ in range(max_episode_steps + 2)]
        assert ends == [False] * (max_episode_steps - 1) + [True] * 3


def test_an_episode_may_be_without_end() -> None:
    env = gymnasium.make(ENV_ID, max_episode_steps=-1)
    env.reset()
    assert not any(env.step(action)[3] for action in actions(0, 500))


def test_a_seed_may_be_of_any_size_and_sign() -> None:
    env = Cage2GymEnv()
    played = {}
    for seed in (0, 5, -5, np.int64(5), 2**31, 2**63 + 1, 2**200):
        env.reset(seed=seed)  # type: ignore[arg-type] # numpy's integers will do
        played[int(seed)] = [env.step(action)[1] for action in actions(1, 50)]
    assert played[5] == played[-5]
    assert len({tuple(rewards) for rewards in played.values()}) == len(played) - 1


def test_unseeded_games_differ() -> None:
    envs = [Cage2GymEnv() for _ in range(2)]
    for env in envs:
        env.reset()
    assert envs[0].view().ip_map() != envs[1].view().ip_map()


@pytest.mark.parametrize("action", [-1, 145, 2**70, 3.0, "Sleep", None, [1]])
def test_other_actions_are_refused(action: Any) -> None:
    env = Cage2GymEnv()
    env.reset()
    with pytest.raises(InvalidActionError, match="from 0 to 144") as caught:
        env.step(action)
    assert isinstance(caught.value, error.InvalidAction | ValueError)


def test_numpy_s_actions_will_do() -> None:
    env = Cage2GymEnv()
    for action in (3, np.int64(3), np.uint8(3), np.array(3)):
        env.reset(seed=0)
        assert env.step(action)[0].shape == (spec.OBSERVATION_SIZE,)


def test_nothing_goes_before_a_reset() -> None:
    env = Cage2GymEnv(render_mode="ansi")
    for call in (lambda: env.step(0), env.render, env.view, env.action_masks):
        with pytest.raises(error.ResetNeeded, match="reset"):
            call()
    with pytest.raises(error.ResetNeeded):
        gymnasium.make(ENV_ID).step(0)


@pytest.fixture(autouse=True)
def _generator_kept() -> Iterator[None]:
    kept = random.getstate()
    yield
    random.setstate(kept)


OPTIONS: list[dict[str, Any]] = [
    {"red_agent": "RedMeanderAgent"},
    {"red_agent": "Mixed", "observation_memory": True, "actions": "merged"},
    {"red_agent": "RedMeanderAgent,pipeline.cage2.attackers.b_line:BLine", "actions": "merged"},
    {"red_agent": f"{Path(__file__).parents[4]}/examples/my_red.py:Mine"},
    {"red_agent": "Mixed", "actions": "merged"},
    {"observation_memory": True, "episode_steps": 60, "max_episode_steps": 60},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_are_the_same_on_both_engines(options: dict[str, Any]) -> None:
    envs = [gymnasium.make(ENV_ID, engine=engine, **options) for engine in ENGINES]
    rng = np.random.default_rng(0)
    for seed in (3, None, None, 8, -5):
        shown = [env.reset(seed=seed) for env in envs]
        assert same(*shown, exact=True)
        for _ in range(30):
            action = rng.choice(np.flatnonzero(shown[0][-1]["action_mask"]))
            shown = [env.step(action) for env in envs]
            assert same(*shown, exact=True)
        assert envs[0].unwrapped.view() == envs[1].unwrapped.view()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gymnasium_and_sb3_find_no_fault_with_options(options: dict[str, Any]) -> None:
    env = gymnasium.make(ENV_ID, **options)
    check_env(env.unwrapped)
    sb3_checker().check_env(env)


def test_a_mixture_has_the_agents_of_training() -> None:
    mixed = Cage2GymEnv("Mixed")
    for seed, red_agent in ((6, "B_lineAgent"), (7, "RedMeanderAgent")):
        alone = Cage2GymEnv(red_agent)
        assert same(mixed.reset(seed=seed), alone.reset(seed=seed), exact=True)
        for action in actions(seed, 40):
            assert same(mixed.step(action), alone.step(action), exact=True)


def test_a_game_against_ones_own_is_not_saved() -> None:
    env = Cage2GymEnv("pipeline.cage2.attackers.sleep:Sleep")
    env.reset(seed=0)
    for save in (env.state, lambda: env.branch(2)):
        with pytest.raises(UnsavedAttackerError, match=r"copy\.deepcopy"):
            save()


def through_pickle(env: Any) -> Any:
    return pickle.loads(pickle.dumps(env))  # noqa: S301 - our own


@pytest.mark.parametrize("options", OPTIONS[:3], ids=str)
@pytest.mark.parametrize(
    ("engine", "copied"),
    [
        ("fast", copy.deepcopy),
        ("fast", through_pickle),
        ("cyborg", copy.deepcopy),
        ("cyborg", through_pickle),
    ],
)
def test_a_copy_goes_on_by_itself(engine: str, options: dict[str, Any], copied: Callable[[Any], Any]) -> None:
    """As tree search needs it: all that is shown, masks too, is the copy's own."""
    env, reference = (gymnasium.make(ENV_ID, engine=engine, **options).unwrapped for _ in range(2))
    for one in (env, reference):
        one.reset(seed=1)
        one.step(1)
    branch = copied(env)
    for action in range(14, 28):  # the original goes elsewhere, and nothing of that shows in the branch
        env.step(action)
    for action in (*range(10, 28), *range(27, 10, -1)):
        assert same(branch.step(action), reference.step(action), exact=True)
        np.testing.assert_array_equal(branch.action_masks(), reference.action_masks())
    assert branch.view() == reference.view()
    assert same(branch.reset(), reference.reset(), exact=True)
