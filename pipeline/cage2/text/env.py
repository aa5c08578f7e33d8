"""The game in words: `gymnasium.make("pipeline.cage2.gym:Cage2Text-v0", ...)`.

rules -> (observation -> answer -> the game's step -> observation -> ...)
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium import error, spaces

from pipeline.cage2.facts import spec
from pipeline.cage2.gym.env import Cage2GymEnv
from pipeline.cage2.gym.games import OptionError
from pipeline.cage2.text.answer import MistakeError, action_of
from pipeline.cage2.text.names import STOCK, renamed
from pipeline.cage2.text.rules import rules
from pipeline.cage2.text.telling import told

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import Engine, Profile
    from pipeline.cage2.show.view import View

MAX_MISTAKES = 3
"""Answers in a row that may be no action. With the next one Blue sleeps, so that an episode comes to its end."""
MAX_CHARACTERS = 10_000
"""Of an observation, and of an answer that is drawn by `action_space.sample()`."""


class Cage2TextEnv(gymnasium.Env[str, str]):
    """CAGE Challenge 2, Scenario 2, played as Blue by who reads and writes: a language model, or a person.

    The game is that of `Cage2-v0`, seed by seed and step by step. Observations are text: steps left, the last action,
    and for each host what Blue's table says of it and which decoys Blue has placed there. An
    action is a text, `Restore User1`, or any that has a line `Action: Restore User1`. One that can't be read plays
    nothing: reward 0, and the observation says what was wrong before it says again how things stand.

    Rewards are floats in points, of one decimal. An episode is truncated after `episode_steps` steps of the game.
    `info` has, after reset and step alike,

        rules    str         what is to be known of the game, a prompt: `docs/gymnasium.md` says how long it is
        action   int | None  what was played, an index of `spec.ACTION_NAMES`; None if nothing was
        mistake  str | None  what was wrong with the answer

    Args:
        red_agent: As for `Cage2-v0`.
        engine: As for `Cage2-v0`.
        profile: As for `Cage2-v0`.
        episode_steps: Steps of an episode. (A `max_episode_steps` given to `gymnasium.make` would count mistakes, too.)
        names_seed: None for CybORG's names of hosts and subnets; else they are others, drawn from this, `>= 0`.

    Raises:
        UnknownRedAgentError: There is no such Red agent.
        AttackerNotFoundError: There is none of one's own of that name.
        OptionError: Another argument is none of those.
        CyborgNotInstalledError: CybORG is asked for and not there.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - as gymnasium types it

    def __init__(
        self,
        red_agent: str = "B_lineAgent",
        engine: Engine = "fast",
        profile: Profile = "head",
        episode_steps: int = spec.EPISODE_STEPS,
        names_seed: int | None = None,
    ) -> None:
        if type(episode_steps) is not int or episode_steps < 1:
            raise OptionError(f"episode_steps is a whole number, 1 or more, not {episode_steps!r}")
        if names_seed is not None and (type(names_seed) is not int or names_seed < 0):
            raise OptionError(f"names_seed is None, or a whole number, 0 or more, not {names_seed!r}")
        self._env = Cage2GymEnv(red_agent, engine, profile)
        self._num_steps = episode_steps
        self.names = STOCK if names_seed is None else renamed(names_seed)
        """What things are called."""
        self.rules = rules(self.names, episode_steps)
        self.observation_space = spaces.Text(MAX_CHARACTERS, min_length=0, charset=string.printable)
        self.action_space = spaces.Text(MAX_CHARACTERS, min_length=0, charset=string.printable)
        self._view: View | None = None
        self._num_mistakes = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode; see `Cage2GymEnv.reset`.

        Raises:
            OptionError: An option is given.
        """
        self._env.reset(seed=seed, options=options)
        super().reset(seed=None if seed is None else abs(seed))
        self._view = self._env.view()
        self._num_mistakes = 0
        return self._told(), self._info(None, None)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Play what an answer says, then Red's action.

        Args:
            action: The answer.

        Raises:
            gymnasium.error.InvalidAction: It is no text.
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        if not isinstance(action, str):
            raise error.InvalidAction(f"an answer is a text, such as 'Restore User1', not {action!r}")
        try:
            index, mistake = action_of(action, self.names), None
        except MistakeError as problem:
            index, mistake = spec.SLEEP, str(problem)
        if mistake is not None and self._num_mistakes < MAX_MISTAKES:
            self._num_mistakes += 1
            text = f"{mistake} Nothing was played: answer again.\n{self._told()}"
            return text, 0.0, False, self._is_over, self._info(None, mistake)
        self._num_mistakes = 0
        _, reward, _, _, _ = self._env.step(index)
        self._view = self._env.view()
        text = self._told() if mistake is None else f"{mistake} Too often, so you slept.\n{self._told()}"
        return text, reward, False, self._is_over, self._info(index, mistake)

    def view(self) -> View:
        """Return all that there is to know of the game now, by CybORG's names; see `Cage2GymEnv.view`.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        if self._view is None:
            raise error.ResetNeeded("nothing has happened yet: call reset() first")
        return self._view

    @property
    def _is_over(self) -> bool:
        return self.view().num_steps >= self._num_steps

    def _told(self) -> str:
        return told(self.view(), self.names, self._num_steps)

    def _info(self, action: int | None, mistake: str | None) -> dict[str, Any]:
        return {"rules": self.rules, "action": action, "mistake": mistake}
