"""Games that are really played: by whom, and what comes of every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts.spec import ANALYSE, DECOY, EPISODE_STEPS, NUM_ACTIONS, NUM_HOSTS, REMOVE, RESTORE, SLEEP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.cage2.facts.names import Profile, RedAgent


def _random(rng: np.random.Generator, alarmed: list[int]) -> int:
    del alarmed
    return int(rng.integers(NUM_ACTIONS))


def _restore(rng: np.random.Generator, alarmed: list[int]) -> int:
    return RESTORE + int(rng.choice(alarmed)) if alarmed else SLEEP


def _react(rng: np.random.Generator, alarmed: list[int]) -> int:
    """Analyse, remove or restore what shows something, deploy decoys when nothing does."""
    if not alarmed:
        return int(rng.integers(DECOY, RESTORE))
    return int(rng.choice((ANALYSE, REMOVE, REMOVE, RESTORE))) + int(rng.choice(alarmed))


def _decoy(rng: np.random.Generator, alarmed: list[int]) -> int:
    del alarmed
    return int(rng.integers(DECOY, RESTORE)) if rng.random() < 0.8 else RESTORE + int(rng.integers(NUM_HOSTS))


POLICIES = {"random": _random, "restore": _restore, "react": _react, "decoy": _decoy}


class Step(NamedTuple):
    """A step that was played in one of several games."""

    index: int
    num_steps: int
    """Played, this one included."""
    action: int
    cost: int
    """In tenths."""
    game: Any
    lists: Any


@pytest.fixture(params=POLICIES)
def steps_of(request: pytest.FixtureRequest) -> Callable[[Profile, RedAgent, int], Iterator[Step]]:
    """Play some games of 100 steps by a policy, and return their steps, those of all games together."""
    choose = POLICIES[request.param]

    def steps_of(profile: Profile, red_agent: RedAgent, num_games: int) -> Iterator[Step]:
        batch = GameBatch(num_games, red_agent, profile)
        batch.reset(range(num_games))
        rng = np.random.default_rng(0)
        for num_steps in range(1, EPISODE_STEPS + 1):
            shown = batch.observations.reshape(num_games, NUM_HOSTS, -1).any(axis=2)
            actions = [choose(rng, np.flatnonzero(hosts).tolist()) for hosts in shown]
            batch.step(actions)
            for index, action in enumerate(actions):
                cost = -int(batch.rewards[index])
                yield Step(index, num_steps, action, cost, batch.games[index], batch.lists[index])

    return steps_of
