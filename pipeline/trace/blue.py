"""Who plays Blue in a trace: chooses as it does elsewhere, to the bit, and tells by what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from pipeline import seeding
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.orders import ORDERS
from pipeline.play import episode
from pipeline.play.baselines import BASELINES
from pipeline.policy.forward import Actor
from pipeline.policy.params import PLAIN
from pipeline.trace.seen import in_words

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.play.game import GameSpec
    from pipeline.trace.trace import Seen

NUM_LIKELIEST: Final = 10
"""Choices whose probabilities are told, beside the one that was taken."""
_DIGITS: Final = 6
"""Of a probability: what the policy's float32 holds."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What Blue does next; see `trace.BlueMove`."""

    choice: str
    action: int
    """CybORG's id."""
    probability: float | None
    likeliest: dict[str, float]


class Blue(Protocol):
    """Plays one episode after the other."""

    verdicts: Verdicts | None
    """What compliance is judged by; None of an agent that follows no workflow."""
    draws: bool
    """Whether it draws from Python's `random` as the game does: from one generator."""

    def begin(self, num_steps: int, environment_seed: int, actions_seed: int, table: npt.NDArray[np.int8]) -> None:
        """Begin an episode of so many steps, of which this is the first table, `[52]` in {0, 1}."""
        ...

    def saw(self) -> Seen:
        """Return what it sees now."""
        ...

    def decide(self) -> Decision:
        """Return what it does now."""
        ...

    def see(self, table: npt.NDArray[np.int8]) -> None:
        """See what came of it."""
        ...

    def end(self) -> None:
        """End the episode."""
        ...


class PolicyBlue:
    """A trained policy, played as `play.episode` does.

    Args:
        weights: `[game.shape.actor.num_values]`, the actor's.
        workflow_id: The order that it follows, 0 to 119.
        game: What it was made for.
        greedy: Whether it takes the likeliest action each time, or draws one.
    """

    def __init__(
        self, weights: npt.NDArray[np.float32], workflow_id: int, game: GameSpec, *, greedy: bool = False
    ) -> None:
        interface = game.interface
        self.draws = False
        self.verdicts: Verdicts | None = Verdicts(ORDERS[workflow_id].tolist(), game.compromised)
        self._actor = Actor(weights, game.shape)
        self._workflow_id = workflow_id
        self._greedy = greedy
        self._names = interface.action_names
        self._memory = Memory(interface)
        self._row: npt.NDArray[np.int8] = np.zeros(interface.observation_size, np.int8)

    def begin(self, num_steps: int, environment_seed: int, actions_seed: int, table: npt.NDArray[np.int8]) -> None:
        """See `Blue.begin`."""
        self._uniforms = iter(seeding.uniforms(actions_seed, num_steps).tolist())
        self._memory.begin(num_steps, table, self._row)

    def saw(self) -> Seen:
        """See `Blue.saw`."""
        return in_words(self._row)

    def decide(self) -> Decision:
        """See `Blue.decide`."""
        choice, log_prob = self._actor.sample(self._row, self._workflow_id, next(self._uniforms), greedy=self._greedy)
        log_probs, _ = self._actor.distribution(self._row, self._workflow_id)
        order = np.argsort(-log_probs, kind="stable")[:NUM_LIKELIEST].tolist()  # of equally likely ones the first
        likeliest = {self._names[index]: _probability(float(log_probs[index])) for index in order}
        return Decision(
            choice=self._names[choice],
            action=self._memory.act(choice),
            probability=_probability(log_prob),
            likeliest={name: probability for name, probability in likeliest.items() if probability},
        )

    def see(self, table: npt.NDArray[np.int8]) -> None:
        """See `Blue.see`."""
        self._memory.see(table, self._row)

    def end(self) -> None:
        """See `Blue.end`."""


class BaselineBlue:
    """An agent that learns nothing.

    Args:
        name: One of `baselines.BASELINES`.
    """

    verdicts: Verdicts | None = None
    draws = False

    def __init__(self, name: str) -> None:
        self._choose = BASELINES[name]

    def begin(self, num_steps: int, environment_seed: int, actions_seed: int, table: npt.NDArray[np.int8]) -> None:
        """See `Blue.begin`."""
        self._uniforms = iter(seeding.uniforms(actions_seed, num_steps).tolist())
        self._table = table

    def saw(self) -> Seen:
        """See `Blue.saw`."""
        return in_words(self._table)

    def decide(self) -> Decision:
        """See `Blue.decide`."""
        action = self._choose(self._table, next(self._uniforms))
        return Decision(spec.ACTION_NAMES[action], action, None, {})

    def see(self, table: npt.NDArray[np.int8]) -> None:
        """See `Blue.see`."""
        self._table = table

    def end(self) -> None:
        """See `Blue.end`."""


def _probability(log_prob: float) -> float:
    return float(f"{np.exp(log_prob):.{_DIGITS}g}")


def warm_up() -> None:
    """Compile what a policy's step calls, or load it where an earlier process has kept it."""
    episode.warm_up()
    Actor(np.zeros(PLAIN.actor.num_values, np.float32), PLAIN).distribution(np.zeros(spec.OBSERVATION_SIZE, np.int8), 0)
