"""Bounds of whole games, from the relaxed ones: by episode length, and from where a game of the engine stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipeline.cage2.facts.spec import EPISODE_STEPS
from pipeline.limits import b_line, meander
from pipeline.limits.exploits import kind_of, kinds
from pipeline.limits.process import Solution

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import Profile, RedAgent


class Bounds(Protocol):
    """What no defender's mean return is above, against one Red agent in one game."""

    def of_episode(self, num_steps: int) -> float:
        """Return it for whole episodes of up to `exploits.COINCIDENCE`'s 100 steps, in points."""

    def from_here(self, game: Any, lists: Any, steps_left: int) -> float:
        """Return it for the rest of a game of the engine, in points.

        Args:
            game: A record of the engine's `state.GAME`, after the first of Red's scans (B_line) or the quiet steps.
            lists: `[3, 13, room]`, its lists.
            steps_left: Of the episode.
        """


class BLineBounds:
    """Of games against B_line.

    Args:
        profile: Which game.
        sees_all: Whether it holds for every defender, or for those that see the table alone.
    """

    def __init__(self, profile: Profile, *, sees_all: bool = True) -> None:
        self.solution = Solution(b_line.BLine(profile, sees_all=sees_all), EPISODE_STEPS)

    def of_episode(self, num_steps: int) -> float:
        """Return the bound of whole episodes."""
        return self.solution.value(b_line.BLine.start, num_steps)

    def from_here(self, game: Any, lists: Any, steps_left: int) -> float:
        """Return the bound of the rest of a game, which was told all."""
        return self.solution.value(b_line.state_of(game, lists), steps_left)


class MeanderBounds:
    """Of games against Meander; see `BLineBounds`."""

    def __init__(self, profile: Profile, *, sees_all: bool = True) -> None:
        self._processes = {kind: meander.Meander(profile, kind, sees_all=sees_all) for kind in kinds(meander.USER2)}
        self._solutions: dict[int, Solution] = {}

    def of_episode(self, num_steps: int) -> float:
        """Return the bound of whole episodes.

        User2 is scanned in one of steps 2 to 6, each as likely. Blue has had as many actions by then, that step's
        included, and so no more decoys.
        """
        num_attacked = max(0, num_steps - meander.NUM_QUIET_STEPS)
        steps = range(2, 2 + len(meander.USERS))
        values = {
            kind: self._solution(kind).value(process.start, num_attacked + 1)  # it starts one quiet step earlier
            for kind, process in self._processes.items()
        }
        return sum(max(values[kind] for kind in kinds(meander.USER2, step)) for step in steps) / len(steps)

    def from_here(self, game: Any, lists: Any, steps_left: int) -> float:
        """Return the bound of the rest of a game, which was told all."""
        state = meander.state_of(game, lists)
        solution = self.solution_of(game)
        is_free = state.target == meander.NOBODY and not state.quiet
        states = [state._replace(target=target) for target in meander.targets_of(state)] if is_free else [state]
        mean = sum(solution.value(each, steps_left) for each in states) / len(states)
        return mean - meander.debt_of(game, steps_left) / 10

    def solution_of(self, game: Any) -> Solution:
        """Return the solution for what Red remembers of User2 in a game of the engine."""
        return self._solution(kind_of(meander.USER2, int(game["port_memory"][meander.USER2])))

    def _solution(self, kind: int) -> Solution:
        """Return the solution for one of User2's kinds; each takes some seconds, once."""
        if kind not in self._solutions:
            num_steps = EPISODE_STEPS - meander.NUM_QUIET_STEPS + 1
            self._solutions[kind] = Solution(self._processes[kind], num_steps)
        return self._solutions[kind]


def bounds_of(profile: Profile, red_agent: RedAgent, *, sees_all: bool = True) -> BLineBounds | MeanderBounds:
    """Return the bounds against one of CAGE-2's two attackers.

    Raises:
        ValueError: There are none against another.
    """
    if red_agent == "B_lineAgent":
        return BLineBounds(profile, sees_all=sees_all)
    if red_agent == "RedMeanderAgent":
        return MeanderBounds(profile, sees_all=sees_all)
    raise ValueError(f"there are no bounds against {red_agent}")
