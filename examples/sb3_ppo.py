"""Train Stable-Baselines3's PPO to defend the network against B_line: 64 games in one call.

python examples/sb3_ppo.py --save ppo.zip
python run.py evaluate ppo.zip
"""

import argparse

import gymnasium
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from pipeline.cage2.gym.sb3 import Sb3VecEnv


def main(total_timesteps: int = 500_000, num_envs: int = 64, seed: int = 0, save: str | None = None) -> float:
    """Train for a while, and save the model; return the mean return of 100 episodes after it."""
    games = gymnasium.make_vec(
        "pipeline.cage2.gym:Cage2-v0", num_envs, red_agent="B_lineAgent", autoreset_mode="SameStep"
    )
    env = VecNormalize(VecMonitor(Sb3VecEnv(games)), norm_obs=False)  # scales rewards for training only
    model = PPO("MlpPolicy", env, n_steps=100, batch_size=800, ent_coef=0.01, seed=seed, device="cpu", verbose=1)
    model.learn(total_timesteps)
    if save is not None:
        model.save(save)
    mean, deviation = evaluate_policy(model, env, n_eval_episodes=100, deterministic=False)
    print(f"mean return {mean:.1f}, standard deviation {deviation:.1f}")
    return mean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--total-timesteps", type=int, default=500_000, metavar="N", help="to train [500000]")
    parser.add_argument("--save", metavar="FILE.zip", help="where to save the model")
    main(**vars(parser.parse_args()))
