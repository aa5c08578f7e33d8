"""CAGE-2's evaluation script, in short: run where this project can't be imported, on CybORG behind its own wrapper.

    python -I -S contest.py SITE_PACKAGES AGENT_FOLDER SCENARIO.json NUM_EPISODES NUM_STEPS

Prints JSON: the actions and rewards of each Red agent's episodes, and what else was imported for the agent.
"""

from __future__ import annotations

import importlib.util
import json
import random
import sys
import types
from pathlib import Path


class Placeholder(types.ModuleType):
    """CybORG imports these for agents that are not played here."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


site_packages, folder, scenario, num_episodes, num_steps = sys.argv[1:]
sys.path += [site_packages, folder]  # and none of the .pth files there, by which this project is installed
assert importlib.util.find_spec("pipeline") is None
before = set(sys.modules)
from agent import Agent  # noqa: E402

imported = {name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names - {"agent"}

sys.modules.update((name, Placeholder(name)) for name in ("stable_baselines3", "paramiko"))
from csle_cyborg.agents import B_lineAgent, RedMeanderAgent  # noqa: E402
from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper  # noqa: E402
from csle_cyborg.main import Main  # noqa: E402

agent = Agent()
played = {}
for red_agent in (B_lineAgent, RedMeanderAgent):
    cyborg = Main(json.loads(Path(scenario).read_text()), "sim", agents={"Red": red_agent})
    wrapped_cyborg = ChallengeWrapper(env=cyborg, agent_name="Blue")
    action_space = wrapped_cyborg.get_action_space("Blue")
    episodes = []
    for episode in range(int(num_episodes)):
        random.seed(episode)
        observation, _ = wrapped_cyborg.reset()
        actions, rewards = [], []
        for _ in range(int(num_steps)):
            action = agent.get_action(observation, action_space)
            observation, reward, *_ = wrapped_cyborg.step(action)
            actions.append(action)
            rewards.append(round(10 * reward))
        agent.end_episode()
        episodes.append({"actions": actions, "rewards": rewards})
    played[red_agent.__name__] = episodes
sys.stdout.write(json.dumps({"played": played, "imported": sorted(imported)}))
