"""What measuring an agent costs beside the agent itself: microseconds a step, on the fast engine, with the stock table.

An agent that CybORG's evaluation script could play is played twice: by the referee, as a worker does it, and by a loop
that does nothing but play, which is the agent's own speed. The difference is the referee's. They take turns.

python bench/referee.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.names import Compromised
from pipeline.defenders.module import load
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.play import play
from pipeline.evaluate.task import Task
from pipeline.machine import processor
from pipeline.play.game import GameSpec

AGENT = """
class Agent:
    def get_action(self, observation, action_space):
        for host in range(13):
            if observation[4 * host + 2] or observation[4 * host + 3]:
                return 132 + host
        return 0

    def end_episode(self):
        pass
"""
NUM_STEPS = 100


def referee_us(target: str, num_episodes: int) -> float:
    """Return microseconds a step as a worker plays it, the making of the agent and its game included."""
    game = GameSpec("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, NUM_STEPS, Interface())
    task = Task(AgentReference(target, target, (), "stock", False, 60.0), game, 0, 0, 0, num_episodes)
    began_s = time.process_time()
    play(task)
    return 1e6 * (time.process_time() - began_s) / (num_episodes * NUM_STEPS)


def alone_us(target: str, num_episodes: int) -> float:
    """Return microseconds a step of the agent and the engine, with nothing around them."""
    agent, env = load(target, {}), FastEnv("B_lineAgent")
    began_s = time.process_time()
    for seed in range(num_episodes):
        observation = env.reset(seed)
        for _ in range(NUM_STEPS):
            observation, _ = env.step(agent.get_action(observation, 145))
        agent.end_episode()
    return 1e6 * (time.process_time() - began_s) / (num_episodes * NUM_STEPS)


def main() -> None:
    """Measure, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--episodes", type=int, default=200, help="of each turn")
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    if min(options.episodes, options.turns) < 1:
        parser.error("--episodes and --turns must be at least 1")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench_agent.py"
        file.write_text(AGENT)
        target = f"{file}:Agent"
        measures = {"by the referee": referee_us, "alone": alone_us}
        for measure in measures.values():
            measure(target, 1)
        taken: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(options.turns):
            for name, measure in measures.items():
                taken[name].append(measure(target, options.episodes))
    print(f"{processor()}, {options.turns} turns of {options.episodes} episodes of {NUM_STEPS} steps")
    medians = {name: statistics.median(values) for name, values in taken.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.1f} us a step")
    print(f"difference: {medians['by the referee'] - medians['alone']:.1f} us a step")


if __name__ == "__main__":
    main()
