"""Whether an exported agent plays as the run's policy does: both see the same games, and their actions are compared."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.errors import PipelineError
from pipeline.export.agent import TrainedAgent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.evaluate.trained import Trained

RED_AGENTS: Final = ("B_lineAgent", "RedMeanderAgent")
NUM_STEPS: Final = 10_000
"""Of a comparison, over all games."""


class AgentDiffersError(PipelineError):
    """An exported agent does not play as the policy does."""


class Plays(Protocol):
    """The smaller form of an agent; see `defender.Defender`."""

    def begin(self, num_steps: int) -> None:
        """Begin an episode."""
        ...

    def act(self, observation: Any, view: Any = None) -> int:
        """Return an action."""
        ...


def agent_in(folder: Path) -> Plays:
    """Return the agent that was exported to a folder; its module goes by a name of its own, and is forgotten."""
    spec = importlib.util.spec_from_file_location("_exported_agent", folder / "agent.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(folder / "agent.py")
    module = importlib.util.module_from_spec(spec)
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes_bytecode
    agent: Plays = module.Agent()
    return agent


def num_differing(trained: Trained, agent: Plays, num_steps: int = NUM_STEPS) -> int:
    """Return how many actions of an agent are not those of the run's policy, greedy, in the same games.

    Args:
        trained: The policy.
        agent: Is shown what the policy is shown, and does what it would.
        num_steps: How many are compared.
    """
    return sum(ours != theirs for ours, theirs in _actions(trained, agent, num_steps))


def _actions(trained: Trained, agent: Plays, num_steps: int) -> Iterator[tuple[int, int]]:
    config = trained.config
    policy = TrainedAgent(trained)
    envs = [FastEnv(red_agent, config.profile) for red_agent in RED_AGENTS]
    for step in range(num_steps):
        episode, place = divmod(step, config.episode_steps)
        env = envs[episode % len(envs)]
        if place == 0:
            observation = env.reset(episode)
            policy.begin(config.episode_steps)
            agent.begin(config.episode_steps)
        action = policy.act(observation)
        yield action, agent.act(observation)
        observation, _ = env.step(action)
