"""The contest's evaluation script: what it builds, resets and plays, in which order, and what it makes of the rewards.

    random.seed(N), agent
    30, 50, 100 steps  x  B_line, Meander, Sleep
        a new game, wrapped, reset
        episode, agent.end, reset;  episode, agent.end, reset;  ...

The generator goes on through all of it: what an agent does in the first game decides what the last one is like.
"""

from __future__ import annotations

import operator
import random
import traceback
from dataclasses import dataclass
from functools import reduce
from statistics import mean, stdev
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts import spec
from pipeline.contest.generator import OnRandom, random_kept
from pipeline.contest.scenarios import SCENARIOS
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from pipeline.contest.entry import Entry
    from pipeline.contest.generator import Game


class ContestFailedError(PipelineError):
    """A step of the contest could not be played."""

    def __init__(self, red_agent: str, num_steps: int, episode: int, where: str, text: str) -> None:
        counted = "both counted from 0" if "step" in where else "counted from 0"
        super().__init__(
            f"episode {episode} of {num_steps} steps against {red_agent} failed at {where}, {counted}:\n{text}"
        )


def _whole_traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What came of one scenario."""

    red_agent: str
    num_steps: int
    """Of an episode."""
    returns: list[float]
    """Of each episode, in points: rewards added one by one, as the script's `sum` did on the Pythons of its time."""
    action_counts: npt.NDArray[np.int64]
    """`[145]`, over all episodes."""

    @property
    def mean(self) -> float:
        """Of the returns, as the script computes it."""
        return mean(self.returns)

    @property
    def std(self) -> float:
        """Standard deviation of the returns, as the script computes it; 0 of a single one, on which it fails."""
        return stdev(self.returns) if len(self.returns) > 1 else 0.0


def play(
    enter: Callable[[], Entry],
    game: Callable[[str], Game],
    seed: int,
    num_episodes: int,
    note_progress: Callable[[int], None] = lambda _: None,
    scenarios: tuple[tuple[str, int], ...] = SCENARIOS,
    tell: Callable[[BaseException], str] = _whole_traceback,
) -> tuple[Played, ...]:
    """Play the contest by its script. Python's `random` is put back afterwards to where it stood.

    Args:
        enter: Makes the agent, once, after seeding.
        game: Makes the game with a Red agent, by its name.
        seed: Of the one generator.
        num_episodes: Of each scenario.
        note_progress: Called with the number of episodes that were played since it was called last.
        scenarios: Red agents and numbers of steps; for a part of the contest, its beginning.
        tell: Returns what is told of an error that an agent raised.

    Returns:
        What came of each scenario, in order.

    Raises:
        ContestFailedError: The agent raised, or chose an action that there isn't.
    """
    results = []
    with random_kept():
        random.seed(seed)
        entry = enter()
        for red_agent, num_steps in scenarios:
            own = game(red_agent)
            own.generator = random.getstate()
            shared = OnRandom(own) if entry.draws else own
            results.append(_play_scenario(entry, shared, red_agent, num_steps, num_episodes, note_progress, tell))
            if not entry.draws:
                random.setstate(own.generator)
    return tuple(results)


def _play_scenario(
    entry: Entry,
    game: Game | OnRandom,
    red_agent: str,
    num_steps: int,
    num_episodes: int,
    note_progress: Callable[[int], None],
    tell: Callable[[BaseException], str],
) -> Played:
    agent = entry.agent
    returns = []
    action_counts = np.zeros(spec.NUM_ACTIONS, dtype=np.int64)
    episode, where = 0, "its beginning"
    try:
        observation = _reset(game, entry.num_resets, is_new=True)
        for episode in range(num_episodes):  # noqa: B007 - told if it fails
            rewards = []
            where = "its beginning"
            agent.begin(num_steps)
            for step in range(num_steps):
                where = f"step {step}"
                action = operator.index(agent.act(observation.astype(np.int64), None))
                observation, tenths = game.step(action)
                rewards.append(tenths / 10)
                action_counts[action] += 1
            where = "its end"
            agent.end()
            returns.append(reduce(operator.add, rewards))
            observation = _reset(game, entry.num_resets)
            note_progress(1)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever an agent raises
        raise ContestFailedError(red_agent, num_steps, episode, where, tell(error)) from None
    return Played(red_agent, num_steps, returns, action_counts)


def _reset(game: Game | OnRandom, num_resets: int, *, is_new: bool = False) -> npt.NDArray[np.int8]:
    observation = game.reset(None, is_new=is_new)
    for _ in range(num_resets - 1):
        observation = game.reset(None)
    return observation
