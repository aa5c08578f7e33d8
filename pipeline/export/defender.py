"""How a trained policy is played, by one observation after the other: CybORG's own form of an agent, and a smaller one.

The class below becomes a part of every exported agent (`source`), as it stands here: it uses nothing but the standard
library and what `spec` says of the game's sizes.
"""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Memory(Protocol):
    """What Blue remembers of an episode."""

    def begin(self, num_steps: int, table: Sequence[int]) -> Sequence[float]:
        """Forget the last episode; see the first observation of one of so many steps, return what the policy sees."""
        ...

    def see(self, table: Sequence[int]) -> Sequence[float]:
        """See what came of a step, and return what the policy sees."""
        ...

    def act(self, choice: int) -> int:
        """Return the id of what the policy chose, and remember that Blue did it."""
        ...


class Defender:
    """Plays a policy.

    Either `begin(num_steps)`, then `act(observation)` at each step; or as CybORG's evaluation does it, `get_action` at
    each step and `end_episode` after the last. The policy may tell the time by the share of the episode that has
    passed, so it matters how long the episode is. CybORG doesn't say: an episode without `begin` is taken to be as
    long as the last one was, and the first as long as those in training.

    Args:
        policy: Returns each choice's probability by what the memory shows it.
        memory: What Blue remembers.
        trained_steps: Steps of an episode in training.
        num_steps: Steps of every episode without `begin`, for who knows better.
        greedy: Take the likeliest choice, of equally likely ones the first; else draw one.
        seed: Of what is drawn.
    """

    def __init__(
        self,
        policy: Callable[[Any], Sequence[float]],
        memory: Memory,
        trained_steps: int,
        num_steps: int | None = None,
        *,
        greedy: bool = True,
        seed: int = 0,
    ) -> None:
        self._policy = policy
        self._memory = memory
        self._greedy = greedy
        self._random = random.Random(seed)  # noqa: S311  # to play with, not to keep secrets
        self._is_told = num_steps is not None
        self.begin(trained_steps if num_steps is None else num_steps)

    def begin(self, num_steps: int) -> None:
        """Begin an episode: the next observation is its first.

        Args:
            num_steps: Steps that it will have, `>= 1`.
        """
        if num_steps < 1:
            raise ValueError(f"an episode of {num_steps} steps can't be played: it has one at least")
        self._num_steps = num_steps
        self._num_played = 0

    def act(self, observation: Iterable[float], view: Any = None) -> int:
        """Return what Blue does next.

        Args:
            observation: `[52]` in {0, 1}: Blue's table as a vector, as CybORG's `ChallengeWrapper` gives it.
            view: What else an agent may ask for; this one has no use for it.

        Returns:
            The action's id, 0 to 144, in CybORG's order.
        """
        probabilities = self._policy(self._look(self._memory, observation))
        choices = range(len(probabilities))
        if self._greedy:
            choice = max(choices, key=probabilities.__getitem__)
        else:
            choice = self._random.choices(choices, probabilities)[0]
        self._num_played += 1
        return self._memory.act(choice)

    def probabilities(self, observation: Iterable[float]) -> list[float]:
        """Return how likely each action is by the policy. Nothing is remembered, as if nobody had asked.

        Args:
            observation: As in `act`, in its place or before it.

        Returns:
            `[145]`, sum 1, by the actions' ids.
        """
        memory = copy.deepcopy(self._memory)
        by_choice = self._policy(self._look(memory, observation))
        by_action = [0.0] * NUM_ACTIONS
        for choice, probability in enumerate(by_choice):
            by_action[copy.deepcopy(memory).act(choice)] += float(probability)
        return by_action

    def get_action(self, observation: Iterable[float], action_space: Any = None) -> int:
        """Return what Blue does next, as CybORG asks for it; see `act`."""
        return self.act(observation)

    def end_episode(self) -> None:
        """Forget the episode; the next one is taken to be as long."""
        self.begin(self._num_steps if self._is_told else max(self._num_played, 1))

    def train(self, results: Any) -> None:
        """Learn nothing: the policy is trained."""

    def set_initial_values(self, action_space: Any, observation: Any) -> None:
        """Do nothing: the first observation comes with the first step, too."""

    def _look(self, memory: Memory, observation: Iterable[float]) -> Sequence[float]:
        """Return what the policy sees."""
        try:
            values = (
                observation.tolist() if hasattr(observation, "tolist") else [*observation]
            )  # plain numbers are faster
            table = [*map(int, values)] if {*values} <= {0, 1} else []
        except (TypeError, ValueError):
            table = []
        if len(table) != OBSERVATION_SIZE:
            raise ValueError(f"an observation is the {OBSERVATION_SIZE} values in (0, 1) that ChallengeWrapper gives")
        return memory.see(table) if self._num_played else memory.begin(self._num_steps, table)
