"""The contest's evaluation script on CybORG itself, behind its own wrapper; and agents that play it here and there.

An agent is written in CybORG's form (`get_action`, `end_episode`), and knows nothing of who plays with it.
"""

from __future__ import annotations

import hashlib
import operator
import random
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.cage2.cyborg.env import load_cyborg
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt


class CyborgAgent(Protocol):
    """What the script asks of an agent."""

    def get_action(self, observation: Any, action_space: Any) -> Any:
        """Return an action."""
        ...

    def end_episode(self) -> None:
        """Forget the episode."""
        ...


@dataclass(slots=True)
class Episode:
    """What an agent was shown and did, and where the generator stood when it was over."""

    observations: list[list[int]]
    actions: list[int]
    generator: str
    total: float = 0.0
    """Its return, in points."""


class Recorded:
    """An agent whose episodes are written down."""

    def __init__(self, agent: CyborgAgent) -> None:
        self._agent = agent
        self._observations: list[list[int]] = []
        self._actions: list[int] = []
        self.episodes: list[Episode] = []

    def get_action(self, observation: npt.NDArray[Any], action_space: Any) -> int:
        """Return the agent's action."""
        self._observations.append([int(value) for value in observation])
        action = int(self._agent.get_action(observation, action_space))
        self._actions.append(action)
        return action

    def end_episode(self) -> None:
        """Have the agent forget the episode, which is over."""
        self._agent.end_episode()
        generator = hashlib.sha256(repr(random.getstate()).encode()).hexdigest()
        self.episodes.append(Episode(self._observations, self._actions, generator))
        self._observations, self._actions = [], []

    def begin(self, num_steps: int) -> None:
        """Do nothing, as the script does."""

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        """Return the agent's action; see `pipeline.contest.entry.Agent`."""
        return self.get_action(observation, spec.NUM_ACTIONS)

    def end(self) -> None:
        """Have the agent forget the episode."""
        self.end_episode()


class Stateful:
    """Restores, of the hosts that look compromised, the one that it has restored least often; else places decoys."""

    def __init__(self) -> None:
        self._num_restored = [0] * spec.NUM_HOSTS
        self._num_decoys = 0

    def get_action(self, observation: npt.NDArray[Any], action_space: Any) -> int:
        """Return an action that depends on all that was seen in this episode, and on how many decoys were in others."""
        hosts = [host for host in range(spec.NUM_HOSTS) if any(observation[4 * host + 2 : 4 * host + 4])]
        if hosts:
            host = min(hosts, key=lambda host: (self._num_restored[host], host))
            self._num_restored[host] += 1
            kinds = (spec.REMOVE, spec.RESTORE, spec.ANALYSE)
            return kinds[self._num_restored[host] % len(kinds)] + host
        self._num_decoys = (self._num_decoys + 7) % (spec.RESTORE - spec.DECOY)
        return spec.DECOY + self._num_decoys

    def end_episode(self) -> None:
        """Forget what was restored."""
        self._num_restored = [0] * spec.NUM_HOSTS


class Stochastic:
    """Draws from Python's `random`, now and then in all ways: when it acts, when an episode ends, when it is made."""

    def __init__(self) -> None:
        self._favourites = random.sample(range(spec.NUM_ACTIONS), 20)

    def get_action(self, observation: npt.NDArray[Any], action_space: Any) -> int:
        """Return an action."""
        hosts = [host for host in range(spec.NUM_HOSTS) if any(observation[4 * host + 2 : 4 * host + 4])]
        if hosts and random.random() < 0.7:  # noqa: S311
            kind = random.choice((spec.ANALYSE, spec.REMOVE, spec.RESTORE, spec.RESTORE))  # noqa: S311
            return kind + random.choice(hosts)  # noqa: S311
        if sum(observation) == 0:
            return self._favourites[0]  # draws nothing
        return random.choice(self._favourites)  # noqa: S311

    def end_episode(self) -> None:
        """Prefer other actions."""
        random.shuffle(self._favourites)


class Sb3:
    """A PPO model of Stable-Baselines3, untrained: its `predict` draws from torch's generator.

    To make it with a seed seeds Python's `random` as well, and so the game.
    """

    def __init__(self) -> None:
        import gymnasium
        from stable_baselines3 import PPO

        class Spaces(gymnasium.Env[Any, Any]):
            """What the model is made for; it is not played."""

            observation_space = gymnasium.spaces.Box(-1, 1, (spec.OBSERVATION_SIZE,), np.float32)
            action_space = gymnasium.spaces.Discrete(spec.NUM_ACTIONS)

        self._model = PPO("MlpPolicy", Spaces(), seed=3, device="cpu")

    def get_action(self, observation: npt.NDArray[Any], action_space: Any) -> int:
        """Return an action."""
        action, _ = self._model.predict(observation, deterministic=False)
        return int(action)

    def end_episode(self) -> None:
        """Do nothing."""


AGENTS: dict[str, Callable[[], CyborgAgent]] = {"stateful": Stateful, "stochastic": Stochastic, "sb3": Sb3}
"""By the names that `bench/contest.py` has for them."""


def play_script(
    make: Callable[[], CyborgAgent], seed: int, num_episodes: int, scenarios: Sequence[tuple[str, int]]
) -> Iterator[list[Episode]]:
    """Play the contest's script on csle-cyborg behind its `ChallengeWrapper`, on Python's own generator.

    Yields:
        The episodes of each scenario.
    """
    cyborg = load_cyborg("csle")
    from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper

    random.seed(seed)
    agent = Recorded(make())
    for red_agent, num_steps in scenarios:
        main = load_cyborg("csle")
        env = main.main(main.scenario, "sim", agents={"Red": getattr(cyborg.agents, red_agent)})
        wrapped = ChallengeWrapper(env=env, agent_name="Blue")
        observation, _ = wrapped.reset()
        action_space = wrapped.get_action_space("Blue")
        agent.episodes = []
        for _ in range(num_episodes):
            rewards = []
            for _ in range(num_steps):
                observation, reward, *_ = wrapped.step(agent.get_action(observation, action_space))
                rewards.append(reward)
            agent.end_episode()
            agent.episodes[-1].total = reduce(operator.add, rewards)
            observation, _ = wrapped.reset()
        yield agent.episodes


def play_baseline_script(
    name: str, seed: int, num_episodes: int, scenarios: Sequence[tuple[str, int]]
) -> Iterator[list[Episode]]:
    """Play the script as it was run for `BlueReact...Agent`, by its name, of csle-cyborg.

    In the place of the wrapper's observation it takes CybORG's own, at the resets; what a step shows it drops.

    Yields:
        The episodes of each scenario, with actions alone.
    """
    cyborg = load_cyborg("csle")
    from csle_cyborg.agents.simple_agents import blue_react_agent
    from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper

    random.seed(seed)
    agent = getattr(blue_react_agent, name)()
    for red_agent, num_steps in scenarios:
        main = load_cyborg("csle")
        env = main.main(main.scenario, "sim", agents={"Red": getattr(cyborg.agents, red_agent)})
        wrapped = ChallengeWrapper(env=env, agent_name="Blue")
        wrapped.reset()
        observation = env.reset().observation
        action_space = env.get_action_space("Blue")
        episodes = []
        for _ in range(num_episodes):
            rewards, actions = [], []
            for _ in range(num_steps):
                action = agent.get_action(observation, action_space)
                rewards.append(env.step("Blue", action).reward)
                actions.append(_id_of(action))
            agent.end_episode()
            generator = hashlib.sha256(repr(random.getstate()).encode()).hexdigest()
            episodes.append(Episode([], actions, generator, reduce(operator.add, rewards)))
            wrapped.reset()
            observation = env.reset().observation
        yield episodes


def _id_of(action: Any) -> int:
    name = type(action).__name__
    return spec.ACTION_NAMES.index(f"{name} {action.hostname}" if hasattr(action, "hostname") else name)
