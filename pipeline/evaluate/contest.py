"""The contest's protocol as an evaluation: agents in the form in which they enter, and what comes of it as results."""

from __future__ import annotations

import math
import random
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.spec import ACTION_NAMES, NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.contest.protocol import play
from pipeline.defenders.errors import UnusableAgentError
from pipeline.defenders.forms import made, require_size
from pipeline.defenders.module import load
from pipeline.defenders.randomness import seed_all_but_pythons
from pipeline.defenders.shown import NoTableError, require_action
from pipeline.evaluate.defend import require_choice, told
from pipeline.evaluate.results import ScenarioResult, by_frequency
from pipeline.evaluate.scenario import Scenario
from pipeline.seeding import agent_seed
from pipeline.types import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from pipeline.contest.entry import Entry
    from pipeline.contest.generator import Game
    from pipeline.contest.protocol import Played
    from pipeline.defenders.reference import AgentReference
    from pipeline.play.baselines import Choose
    from pipeline.play.game import GameSpec


class Choosing:
    """One of this project's baselines. What it draws, it draws from a generator of its own.

    Args:
        choose: The baseline.
        seed: Of what it draws.
    """

    def __init__(self, choose: Choose, seed: int) -> None:
        self._choose = choose
        self._random = random.Random(seed)  # noqa: S311 - a game's

    def begin(self, num_steps: int) -> None:
        """Begin an episode."""

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        """Return what Blue does next."""
        return self._choose(observation.astype(np.int8), self._random.random())

    def end(self) -> None:
        """End it."""


class Entrant:
    """An agent that others wrote, made in this process.

    Args:
        reference: The agent.
        seed: Of NumPy's generator and torch's, which CybORG's script doesn't seed.

    Attributes:
        form: Which of `forms.FORMS` it has.

    Raises:
        SetupError: It can't be made, or sees or does something else than the contest's script offers.
        AgentRaisedError: Its code raised.
    """

    def __init__(self, reference: AgentReference, seed: int) -> None:
        loaded = load(reference.target, dict(reference.arguments), partial(seed_all_but_pythons, agent_seed(seed)))
        agent = made(loaded, greedy=reference.greedy, initial_values=False)  # the script tells nobody
        require_choice(reference, agent)
        require_size(agent, OBSERVATION_SIZE)
        if agent.needs_mask:
            raise UnusableAgentError("the contest's script has no mask of actions, and the model asks for one")
        if agent.actions != "all":
            raise UnusableAgentError("the contest's script knows 145 actions, and the model chooses among merged ones")
        self.form = agent.form
        self._defender = agent.defender
        self._view = _ScriptView()

    def begin(self, num_steps: int) -> None:
        """Begin an episode."""
        self._defender.begin(num_steps)

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        """Return what Blue does next."""
        return require_action(self._defender.act(observation, self._view), NUM_ACTIONS)

    def end(self) -> None:
        """End it."""
        self._defender.end()


class _ScriptView:
    """What the contest's script shows beside the observation: how many actions there are."""

    action_space = NUM_ACTIONS

    def blue_table(self) -> str:
        """Raise NoTableError."""
        raise NoTableError

    def action_mask(self) -> npt.NDArray[np.bool_]:
        """Raise NoTableError."""
        raise NoTableError


class CyborgAgent(Protocol):
    """An agent in the form that CybORG asks for."""

    def get_action(self, observation: Any, action_space: Any) -> int:
        """Return what Blue does next."""
        ...

    def end_episode(self) -> None:
        """Forget the episode."""
        ...


class Untold:
    """An agent in CybORG's form, which the contest's script doesn't tell how long an episode is."""

    def __init__(self, agent: CyborgAgent) -> None:
        self._agent = agent

    def begin(self, num_steps: int) -> None:
        """Tell it nothing."""

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        """Return what Blue does next."""
        return self._agent.get_action(observation, NUM_ACTIONS)

    def end(self) -> None:
        """Have it forget the episode."""
        self._agent.end_episode()


def evaluate_by_contest(
    enter: Callable[[], Entry], game: GameSpec, seed: int, num_episodes: int, note_progress: Callable[[int], None]
) -> tuple[ScenarioResult, ...]:
    """Play the contest by its script, in this process.

    Args:
        enter: See `protocol.play`, as the rest.
        game: Red agent and number of steps are the scenarios'.
        seed: As said.
        num_episodes: As said.
        note_progress: As said.

    Returns:
        A result for each of the nine, with the very mean and standard deviation that the script prints.

    Raises:
        ContestFailedError: See `protocol.play`.
    """

    def make(red_agent: str) -> Game:
        if game.engine == "fast":
            return FastEnv(red_agent, game.profile)
        return CyborgEnv(red_agent, game.cyborg)

    return tuple(map(_result, play(enter, make, seed, num_episodes, note_progress, tell=told)))


def _result(played: Played) -> ScenarioResult:
    num_episodes, std = len(played.returns), played.std
    return ScenarioResult(
        scenario=Scenario(played.red_agent, played.num_steps),
        num_episodes=num_episodes,
        env_reward=Estimate(played.mean, std / math.sqrt(num_episodes)),
        std=std,
        compliance=None,
        actions=by_frequency(played.action_counts, ACTION_NAMES, num_episodes),
    )
