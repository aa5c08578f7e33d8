"""A run whose policies do many different things, and where its agents are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.config import Config
from pipeline.evaluate.trained import Trained
from pipeline.policy.params import PolicyShape
from tests.pipeline.conftest import weights

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.cage2.facts.names import Actions


class MakeTrained(Protocol):
    def __call__(self, memory: bool = True, actions: Actions = "merged", **options: Any) -> Trained: ...


@pytest.fixture(scope="session")
def make_trained() -> MakeTrained:
    """Return what makes a policy out of random weights; it follows order 17."""

    def make(memory: bool = True, actions: Actions = "merged", **options: Any) -> Trained:
        config = Config(observation_memory=memory, actions=actions, **options)
        shape = PolicyShape.of(Interface(memory, actions), config.hidden_sizes)
        critic = np.zeros(shape.critic.num_values, np.float32)
        return Trained(config.log_dir / "run", config, 17, "as asked for", 20, 1280, weights(5, shape), critic)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "agents" / "mine"
