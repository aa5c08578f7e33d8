"""An agent that others wrote, as it plays: made, seeded for each episode, its actions checked, its faults told."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pipeline import seeding
from pipeline.cage2.facts.spec import NUM_ACTIONS
from pipeline.defenders.errors import UnusableAgentError
from pipeline.defenders.forms import SB3, Made, made, require_size
from pipeline.defenders.module import load
from pipeline.defenders.randomness import seed_generators
from pipeline.defenders.shown import WrongActionError, shown_game
from pipeline.errors import own_traceback
from pipeline.evaluate.failure import BEGINNING, MAKING

if TYPE_CHECKING:
    from native_buffers.layout import Array
    from pipeline.defenders.reference import AgentReference
    from pipeline.defenders.shown import ShownGame
    from pipeline.play.game import GameSpec


def make(agent: AgentReference, game: GameSpec, seed: int) -> tuple[Made, ShownGame]:
    """Return an agent, and the game as it is shown to it.

    Args:
        agent: Which.
        game: What is played.
        seed: Of the evaluation; the agent is the same each time that it is made.

    Raises:
        NoSuchAgentError: There is none of this name.
        UnusableAgentError: It can't be used as asked.
        AgentRaisedError: Its own code raised.
    """
    loaded = load(agent.target, dict(agent.arguments), partial(seed_generators, seeding.agent_seed(seed)))
    ready = made(loaded, greedy=agent.greedy)
    require_choice(agent, ready)
    shown = shown_game(game, agent.observation, ready.actions)
    if shown.observation_size is not None:
        require_size(ready, shown.observation_size)
    shown.reset(0)  # which compiles what has yet to be
    return ready, shown


def require_choice(agent: AgentReference, ready: Made) -> None:
    """Check that an agent can be greedy, if it is to be.

    Raises:
        UnusableAgentError: It can't.
    """
    if agent.greedy and ready.form != SB3:
        raise UnusableAgentError(f"--greedy is for policies and models: {agent.name} decides by itself")


def told(error: BaseException) -> str:
    """Return what is told of an agent's mistake: what was wrong with its action, or its own traceback."""
    return str(error) if isinstance(error, WrongActionError) else own_traceback(error)


class Defence:
    """One agent and its game, for as many episodes as a task has.

    Args:
        agent: Who plays.
        game: What is played.
        seed: Of the evaluation.
        header: Views of `EVALUATION_HEADER`, where it is told how far it has come.
    """

    compliance = None

    def __init__(self, agent: AgentReference, game: GameSpec, seed: int, header: dict[str, Array]) -> None:
        header["step"][...] = MAKING
        self._num_steps = game.num_steps
        self._step, self._stepped_s = header["step"], header["stepped_s"]
        ready, self._shown = make(agent, game, seed)
        self._defender = ready.defender
        self.action_counts = np.zeros(NUM_ACTIONS, dtype=np.int64)

    def play(self, index: int, environment_seed: int, actions_seed: int) -> int:
        """Play an episode; see `play.Playing`.

        Raises:
            BaseException: What the agent raised, or `WrongActionError`.
        """
        act, step, view, action_counts = self._defender.act, self._shown.step, self._shown.view, self.action_counts
        num_step, stepped_s, now_s = self._step, self._stepped_s, time.monotonic
        seed_generators(actions_seed)
        total = 0
        num_step[...], stepped_s[...] = BEGINNING, now_s()
        observation = self._shown.reset(environment_seed)
        self._defender.begin(self._num_steps)
        for t in range(self._num_steps):
            num_step[...], stepped_s[...] = t, now_s()
            observation, reward, action = step(act(observation, view))
            total += reward
            action_counts[action] += 1
        num_step[...], stepped_s[...] = self._num_steps, now_s()
        self._defender.end()
        return total
