r"""What would have come of another choice: a moment of an episode played on many times, by either choice.

    trace -> the engine plays up to the moment -> one state
    state -> n games, reseeded -> own choice -> play-outs -> n returns
          -> n games, same seeds -> other choice -> play-outs -> n returns -> differences, by pairs

Future `i` of both has the same seeds, of the game and of the agent's draws, so that the difference is of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts import spec
from pipeline.cage2.gym.blue_side import BlueSide
from pipeline.cage2.gym.env_state import EnvState
from pipeline.defenders.reference import AgentReference
from pipeline.estimates import estimate_of_tenths
from pipeline.play.baselines import BASELINES
from pipeline.play.play_out import Policy, play_out
from pipeline.printable import shown
from pipeline.replay.errors import ReplayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pipeline.evaluate.trained import Trained
    from pipeline.play.game import GameSpec
    from pipeline.trace.trace import Trace

    Tenths = npt.NDArray[np.int64]

NUM_FUTURES: Final = 1000
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
NUM_BINS: Final = 40
"""Of a histogram, at most."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of a choice: returns from its moment to the end of the episode, in points."""

    choice: str
    """Among the actions that the agent has."""
    mean: float
    stderr: float
    """Of the mean."""
    quantiles: tuple[float, ...]
    """`QUANTILES`, each a return that came."""
    counts: tuple[int, ...]
    """Futures in each bin of `Fork.edges`."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Two choices at a moment, and what came of them."""

    moment: int
    """Steps played before the choice."""
    num_futures: int
    """Of each choice."""
    num_steps: int
    """From the choice to the end."""
    edges: tuple[float, ...]
    """Of the bins, in points, ascending; the last one is in the last bin."""
    own: Outcomes
    """Of what the agent chose in the episode."""
    other: Outcomes
    difference: float
    """Mean of other less own, over pairs of futures with the same seeds, in points."""
    difference_stderr: float


def why_not(game: GameSpec, red_agent: str, agent: Trained | AgentReference | str) -> str | None:
    """Return why an episode can't be played on from its moments, or None if it can.

    Args:
        game: That was played.
        red_agent: Who attacked.
        agent: Who played: a run's policy, an agent that others wrote, or a built-in.
    """
    if game.engine != "fast":
        return "CybORG can't go on from a moment: the fast engine can, and plays the same episode (--engine fast)"
    if red_agent not in spec.RED_AGENTS:
        return "the attacker is one's own, and what it remembers can't be saved"
    if isinstance(agent, AgentReference):
        return "the agent is one that others wrote, and what it remembers can't be saved"
    if isinstance(agent, str) and agent not in BASELINES:
        return f"{agent} plays by its own code, which can't go on from a moment"
    return None


def fork(
    trace: Trace, game: GameSpec, agent: Policy | str, moment: int, choice: str, num_futures: int = NUM_FUTURES
) -> Fork:
    """Play an episode on from a moment, by what was chosen there and by another choice.

    The agent plays on as it played the episode; a policy that is not greedy draws anew.

    Args:
        trace: The episode, on the fast engine.
        game: That was played.
        agent: Who played it: a policy, or one of `baselines.BASELINES`.
        moment: Steps played before the choice, 0 to `T - 1`.
        choice: Another one of the agent's actions, by name; its own will do.
        num_futures: `n`, of each choice; 2 or more.

    Raises:
        ReplayError: There is no such moment or choice, or the engine plays another episode by the trace's seed.
    """
    if not 0 <= moment < len(trace.steps):
        raise ReplayError(f"moment {moment}: the episode has {len(trace.steps)}, from 0")
    interface = Interface() if isinstance(agent, str) else agent.interface
    if choice not in interface.action_names:
        some = ", ".join(interface.action_names[:4])
        raise ReplayError(f"the agent has no action {shown(choice)}: choose of {some}, ...")
    state = _state_at(trace, game, interface, moment)
    own_choice = trace.steps[moment].blue.choice
    futures = _Futures(trace, game, agent, interface, moment, num_futures)
    own = futures.returns(state, own_choice)
    other = own if choice == own_choice else futures.returns(state, choice)
    edges = _edges(own, other)
    difference = estimate_of_tenths(other - own)
    return Fork(
        moment=moment,
        num_futures=num_futures,
        num_steps=len(trace.steps) - moment,
        edges=tuple((edges / 10).tolist()),
        own=_outcomes(own_choice, own, edges),
        other=_outcomes(choice, other, edges),
        difference=round(difference.mean, 4),
        difference_stderr=round(difference.stderr, 4),
    )


class _Games:
    """`n` games of an episode's kind, and what Blue remembers of each."""

    def __init__(self, num_games: int, trace: Trace, game: GameSpec, interface: Interface) -> None:
        self.batch = GameBatch(num_games, trace.red_agent, game.profile, room=len(trace.steps))
        self._blue = None if interface.is_plain else BlueSide(num_games, interface, len(trace.steps))
        self._names = interface.action_names
        self._all = np.arange(num_games)
        self._seed = trace.environment_seed

    def begin(self) -> None:
        self.batch.reset([self._seed] * len(self._all))
        if self._blue:
            self._blue.begin(self._all, self.batch.observations)

    def step(self, choice: str) -> Tenths:
        """Have all Blues choose the same, and return `[n]` rewards."""
        chosen = np.full(len(self._all), self._names.index(choice))
        self.batch.step(self._blue.act(self._all, chosen) if self._blue else chosen)
        if self._blue:
            self._blue.see(self._all, self.batch.observations)
        return self.batch.rewards.copy()

    def states(self) -> list[EnvState]:
        memories = self._blue.save(self._all) if self._blue else [b""] * len(self._all)
        return [EnvState(game, self._seed, memory) for game, memory in zip(self.batch.states(), memories, strict=True)]

    def go_on(self, state: EnvState, seeds: Sequence[int]) -> None:
        """Let all games go on from one state, each with a seed of its own."""
        self.batch.set_states([state.game] * len(self._all))
        self.batch.reseed(list(seeds))
        if self._blue:
            self._blue.resume(self._blue.read([state.memory] * len(self._all)), self._all)


class _Futures:
    """What comes of choices at a moment, in `n` futures with the same seeds for each choice."""

    def __init__(
        self, trace: Trace, game: GameSpec, agent: Policy | str, interface: Interface, moment: int, num_futures: int
    ) -> None:
        self._games = _Games(num_futures, trace, game, interface)
        self._agent = agent
        self._num_steps_after = len(trace.steps) - moment - 1
        self._environment, self._actions = seeding.episode_seeds(
            trace.environment_seed, moment, np.arange(num_futures), seeding.Purpose.FUTURE
        )

    def returns(self, state: EnvState, choice: str) -> Tenths:
        """Return `[n]` returns from a state on, in tenths of a point, of a first choice."""
        self._games.go_on(state, self._environment.tolist())
        tenths = self._games.step(choice)
        if self._num_steps_after:
            points = play_out(self._games.states(), self._agent, self._num_steps_after, self._actions)
            tenths += np.rint(10 * points).astype(np.int64)
        return tenths


def _state_at(trace: Trace, game: GameSpec, interface: Interface, moment: int) -> EnvState:
    """Return the game as it stood, having played up to there what was chosen."""
    games = _Games(1, trace, game, interface)
    games.begin()
    for step in trace.steps[:moment]:
        if games.step(step.blue.choice)[0] != round(10 * step.reward.total):
            raise ReplayError("the engine plays another episode by this seed: it was not played by this version")
    return games.states()[0]


def _edges(*returns: Tenths) -> Tenths:
    """Return edges of bins of whole tenths that hold all returns."""
    lowest, highest = min(int(each.min()) for each in returns), max(int(each.max()) for each in returns)
    width = max(1, -(-(highest - lowest + 1) // NUM_BINS))
    return np.arange(lowest, highest + width + 1, width)


def _outcomes(choice: str, returns: Tenths, edges: Tenths) -> Outcomes:
    mean = estimate_of_tenths(returns)
    quantiles = np.quantile(returns, QUANTILES, method="inverted_cdf") / 10
    return Outcomes(
        choice=choice,
        mean=round(mean.mean, 4),
        stderr=round(mean.stderr, 4),
        quantiles=tuple(quantiles.tolist()),
        counts=tuple(np.histogram(returns, edges)[0].tolist()),
    )
