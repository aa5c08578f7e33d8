"""Traces of a policy that remembers, with few but different steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.play.game import GameSpec
from pipeline.trace.blue import PolicyBlue
from pipeline.trace.recorder import Recorder
from pipeline.trace.trace import FORMAT, Header
from tests.pipeline.conftest import weights

if TYPE_CHECKING:
    from pipeline.trace.trace import Trace

GAME = GameSpec("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, 100, Interface(True, "merged"))
WORKFLOW_ID = 37
HEADER = Header(FORMAT, {"name": "policy", "workflow_id": 37}, {"engine": "fast"}, "0.1.0", "comparison", 5)


def seeds(index: int) -> tuple[int, int]:
    """Return an episode's, of the environment and of the actions."""
    environment, actions = seeding.episode_seeds(5, 0, [index])
    return int(environment[0]), int(actions[0])


def recorded(index: int, *, greedy: bool = False, **changes: Any) -> Trace:
    game = replace(GAME, **changes)
    player = PolicyBlue(weights(1, game.shape), WORKFLOW_ID, game, greedy=greedy)
    return Recorder(game, player).play(0, index, *seeds(index))


@pytest.fixture(scope="session")
def traces() -> list[Trace]:
    return [recorded(index, num_steps=20) for index in range(3)]
