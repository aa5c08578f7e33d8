"""The forms that an agent may have, and the defender that each becomes. This is the one place that tells them apart."""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.cage2.blue.interface import MERGED
from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.defenders.errors import UnusableAgentError
from pipeline.printable import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cage2.facts.names import Actions
    from pipeline.defenders.defender import Defender, View

BEGIN_AND_ACT: Final = "begin and act"
CYBORG: Final = "CybORG's"
SB3: Final = "SB3's"
FUNCTION: Final = "a function"
FORMS: Final = {
    BEGIN_AND_ACT: "begin(num_steps) before each episode, act(observation, view) at each step",
    CYBORG: "get_action(observation, action_space) at each step, end_episode() after the last",
    SB3: "predict(observation, state, episode_start, deterministic), as Stable-Baselines3 has it",
    FUNCTION: "called with the observation at each step",
}
"""By name, in the order in which they are looked for: what an agent of the form has."""


@dataclass(frozen=True, slots=True)
class Made:
    """An agent, ready to play."""

    defender: Defender
    form: str
    """One of `FORMS`."""
    actions: Actions = "all"
    """What its actions count."""
    observation_size: int | None = None
    """Values that it sees, if it says so."""
    needs_mask: bool = False
    """Whether it asks for a mask of its actions."""


def made(agent: Any, *, greedy: bool, initial_values: bool = True) -> Made:
    """Return what plays an agent.

    Args:
        agent: An object of any of the forms.
        greedy: Have SB3's form take the likeliest action each time, instead of drawing one.
        initial_values: Whether an agent of CybORG's form that has a use for them is told its initial values.

    Raises:
        UnusableAgentError: It has none of the forms, or one of its methods takes other arguments.
    """
    if _has(agent, "begin") and _has(agent, "act"):
        _require_call(agent.begin, "begin", "num_steps")
        _require_call(agent.act, "act", "observation", "view")
        return Made(_Begun(agent), BEGIN_AND_ACT)
    if _has(agent, "get_action"):
        _require_call(agent.get_action, "get_action", "observation", "action_space")
        return Made(_Cyborg(agent, initial_values=initial_values), CYBORG)
    if _has(agent, "predict"):
        return _predicting(agent, greedy)
    if callable(agent) and not isinstance(agent, type):
        _require_call(agent, "a call", "observation")
        return Made(_Function(agent), FUNCTION)
    listed = "; or ".join(f"{form}: {what}" for form, what in FORMS.items())
    raise UnusableAgentError(f"{_kind(agent)} is no agent. It must have one of the forms. {listed}")


class _Begun:
    """An agent that begins and acts."""

    def __init__(self, agent: Any) -> None:
        self.begin = agent.begin
        self.act = agent.act

    def end(self) -> None:
        """Tell nothing: it is told when the next one begins."""


class _Cyborg:
    """An agent as CybORG's evaluation script has them."""

    def __init__(self, agent: Any, *, initial_values: bool) -> None:
        self._agent = agent
        self._get_action = agent.get_action
        self._is_new = initial_values

    def begin(self, num_steps: int) -> None:
        """Tell nothing: CybORG doesn't, either."""

    def act(self, observation: Any, view: View) -> Any:
        """Return its action; at the very first step it is told its initial values before."""
        if self._is_new:
            self._is_new = False
            if _has(self._agent, "set_initial_values"):
                with contextlib.suppress(NotImplementedError):  # of CybORG's `BaseAgent`
                    self._agent.set_initial_values(view.action_space, observation)
        return self._get_action(observation, view.action_space)

    def end(self) -> None:
        """Tell it that the episode is over."""
        if _has(self._agent, "end_episode"):
            self._agent.end_episode()


class _Predicting:
    """A model as Stable-Baselines3 has them, recurrent or masked ones among them."""

    def __init__(self, model: Any, *, greedy: bool) -> None:
        self._predict = model.predict
        self._space = getattr(model, "action_space", None)
        self._greedy = greedy
        self.is_masked = "action_masks" in inspect.signature(model.predict).parameters

    def begin(self, num_steps: int) -> None:
        """Forget the last episode."""
        self._state: Any = None
        self._is_first = True
        if _has(self._space, "seed"):  # DQN explores by a generator of its own, which the system has seeded
            self._space.seed(int(np.random.randint(2**31)))  # type: ignore[union-attr]  # noqa: NPY002  # the agent's own

    def act(self, observation: Any, view: View) -> Any:
        """Return its action."""
        masks = {"action_masks": view.action_mask()} if self.is_masked else {}
        start = np.array([self._is_first])
        answer = self._predict(observation, state=self._state, episode_start=start, deterministic=self._greedy, **masks)
        if not (isinstance(answer, tuple) and len(answer) == 2):  # action and state
            raise UnusableAgentError(f"predict returned {shown(repr(answer))}, not a tuple of an action and its state")
        action, self._state = answer
        self._is_first = False
        return action

    def end(self) -> None:
        """Tell nothing."""


class _Function:
    """A function of the observation."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def begin(self, num_steps: int) -> None:
        """Tell nothing: it remembers nothing."""

    def act(self, observation: Any, view: View) -> Any:
        """Return its action."""
        return self._function(observation)

    def end(self) -> None:
        """Tell nothing."""


def _predicting(model: Any, greedy: bool) -> Made:
    num_actions = getattr(getattr(model, "action_space", None), "n", NUM_ACTIONS)
    if num_actions not in (NUM_ACTIONS, len(MERGED)):
        raise UnusableAgentError(
            f"{_kind(model)} chooses among {num_actions} actions: there are {NUM_ACTIONS}, or {len(MERGED)} merged "
            "ones (docs/gymnasium.md)"
        )
    shape = getattr(getattr(model, "observation_space", None), "shape", None)
    if shape is not None and len(shape) != 1:
        raise UnusableAgentError(f"{_kind(model)} sees an array of shape {shape}: here it is a vector")
    _require_call(model.predict, "predict", "observation", state=None, episode_start=None, deterministic=True)
    predicting = _Predicting(model, greedy=greedy)
    return Made(
        predicting,
        SB3,
        "all" if num_actions == NUM_ACTIONS else "merged",
        None if shape is None else int(shape[0]),
        needs_mask=predicting.is_masked,
    )


def require_size(made: Made, size: int) -> None:
    """Check that an agent sees as many values as it is shown.

    Raises:
        UnusableAgentError: It says that it sees another number.
    """
    if made.observation_size not in (None, size):
        other = "memory" if size == OBSERVATION_SIZE else "stock"
        raise UnusableAgentError(
            f"the model sees {made.observation_size} values, and is shown {size}: try --observation {other}"
        )


def _has(agent: Any, method: str) -> bool:
    return not isinstance(agent, type) and callable(getattr(agent, method, None))


def _kind(agent: Any) -> str:
    return f"the class {agent.__name__}" if isinstance(agent, type) else f"an object of type {type(agent).__name__}"


def _require_call(function: Callable[..., Any], name: str, *arguments: str, **named: object) -> None:
    """Check that a function takes so many arguments by their places, and others by their names."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # one that isn't written in Python doesn't tell
        return
    try:
        signature.bind(*arguments, **named)
    except TypeError as error:
        wanted = ", ".join((*arguments, *named))
        raise UnusableAgentError(f"the agent's {name}{signature} must take ({wanted}): {error}") from None
