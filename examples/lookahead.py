"""Defend by one-step look-ahead: try every action in copies of the game, play each copy out, take the best.

The copies hold the true state, Red's sessions included, so this is what a defender could do who saw it all.

python examples/lookahead.py
"""

import gymnasium
import numpy as np

from pipeline.cage2.gym.env import Cage2GymEnv
from pipeline.play.play_out import play_out


def look_ahead(game: Cage2GymEnv, seeds: np.ndarray, steps: int) -> int:
    """Return the action after which "restore" does best on average, over the same futures for all."""
    actions = np.flatnonzero(game.action_masks())
    games = game.branch(len(actions) * len(seeds), reseed=np.tile(seeds, len(actions)))
    _, rewards, *_ = games.step(np.repeat(actions, len(seeds)))
    returns = rewards + play_out(games.states(), "restore", steps)
    return int(actions[returns.reshape(len(actions), len(seeds)).mean(axis=1).argmax()])


def main(red_agent: str = "B_lineAgent", episodes: int = 10, futures: int = 16, steps: int = 20) -> tuple[float, float]:
    """Play some episodes; return the mean returns with look-ahead and of "restore" by itself."""
    env = gymnasium.make("pipeline.cage2.gym:Cage2-v0", red_agent=red_agent, actions="merged")
    rng = np.random.default_rng(0)
    ahead, alone = [], []
    for seed in range(episodes):
        env.reset(seed=seed)
        game = env.unwrapped
        alone += play_out([game.state()], "restore", 100).tolist()
        total, truncated = 0.0, False
        while not truncated:
            seeds = rng.integers(0, 2**64, futures, dtype=np.uint64)
            _, reward, _, truncated, _ = env.step(look_ahead(game, seeds, steps))
            total += reward
        ahead.append(total)
        print(f"episode {seed}: look-ahead {total:.1f}, restore {alone[-1]:.1f}")
    print(f"mean: look-ahead {np.mean(ahead):.1f}, restore {np.mean(alone):.1f}")
    return float(np.mean(ahead)), float(np.mean(alone))


if __name__ == "__main__":
    main()
