"""The environment in the hands of the libraries that people train with, each used as its own documentation does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING

import gymnasium
import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.callbacks import MaskableEvalCallback
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecMonitor

from pipeline.cage2.gym.sb3 import Sb3VecEnv

if TYPE_CHECKING:
    from pathlib import Path

NAME = "pipeline.cage2.gym:Cage2-v0"
OPTIONS = {"red_agent": "Mixed", "observation_memory": True, "actions": "merged"}


def games(num_envs: int) -> VecMonitor:
    return VecMonitor(Sb3VecEnv(gymnasium.make_vec(NAME, num_envs, autoreset_mode="SameStep", **OPTIONS)))


STEPPED = """
import gymnasium
if __name__ == "__main__":
    envs = gymnasium.make_vec("pipeline.cage2.gym:Cage2-v0", 3, vectorization_mode="async")
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    envs.close()
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_of_environments_in_processes_of_their_own_one_compiles(tmp_path: Path) -> None:
    """Numba tells of each kernel that a process keeps."""
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DEBUG_CACHE": "1"}
    done = subprocess.run([sys.executable, "-c", STEPPED], env=env, capture_output=True, text=True, check=True)
    kept = re.findall(r"data saved to '(.*)'", done.stdout)
    assert len(kept) == len(set(kept)) == 3  # reset, step, and what is shown


def test_stable_baselines3_evaluates_while_it_trains(tmp_path: Path) -> None:
    callback = EvalCallback(games(2), n_eval_episodes=4, eval_freq=200, log_path=str(tmp_path), verbose=0)
    PPO("MlpPolicy", games(4), n_steps=100, batch_size=100, device="cpu").learn(1200, callback)
    results = np.load(tmp_path / "evaluations.npz")
    assert results["ep_lengths"].tolist() == [[100] * 4]
    assert (results["results"] < 0).all()


def test_maskable_ppo_never_does_what_is_masked() -> None:
    callback = MaskableEvalCallback(games(2), n_eval_episodes=2, eval_freq=100, verbose=0)
    model = MaskablePPO("MlpPolicy", games(4), n_steps=100, batch_size=100, device="cpu")
    model.learn(800, callback)
    env = gymnasium.make(NAME, **OPTIONS)
    observation, info = env.reset(seed=0)
    for _ in range(100):
        action, _ = model.predict(observation, action_masks=env.unwrapped.action_masks())  # type: ignore[attr-defined]
        assert info["action_mask"][action]
        observation, _, _, _, info = env.step(action)


def test_stable_baselines3_makes_its_own_vector_of_single_games() -> None:
    env = make_vec_env(NAME, 2, env_kwargs={"red_agent": "RedMeanderAgent"})
    PPO("MlpPolicy", env, n_steps=50, batch_size=50, device="cpu").learn(100)
    assert len(env.env_method("view", indices=[1])) == 1


def test_gymnasium_s_own_worker_processes() -> None:
    make = {"num_envs": 2, "vectorization_mode": "async", **OPTIONS}
    apart = gymnasium.make_vec(NAME, vector_kwargs={"context": "spawn"}, **make)
    together = gymnasium.make_vec(NAME, 2, **OPTIONS)
    try:
        for ours, theirs in zip(together.reset(seed=1)[0], apart.reset(seed=1)[0], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        for action in range(31):
            ours, theirs = together.step(np.array([action, 30 - action])), apart.step(np.array([action, 30 - action]))
            for our_part, their_part in zip(ours[:4], theirs[:4], strict=True):
                np.testing.assert_array_equal(our_part, their_part)
    finally:
        apart.close()


@pytest.mark.filterwarnings("ignore")  # RLlib's own, of its own deprecations, by the dozen
def test_rllib_trains_with_a_remote_runner() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.rllib.algorithms.ppo import PPOConfig
    import ray

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        config = (
            PPOConfig()
            .environment(NAME, env_config={"red_agent": "RedMeanderAgent"})
            .env_runners(num_env_runners=1, num_envs_per_env_runner=2, rollout_fragment_length=100)
            .training(train_batch_size_per_learner=200, minibatch_size=100, num_epochs=1)
        )
        algorithm = config.build_algo()
        try:
            result = algorithm.train()
        finally:
            algorithm.stop()
    finally:
        ray.shutdown()
    runners = result["env_runners"]
    assert runners["episode_len_mean"] == 100
    assert -2000 < runners["episode_return_mean"] < 0
