"""A policy out of random weights, and episodes of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.config import Config
from pipeline.evaluate.chosen import compared
from pipeline.evaluate.trained import Trained
from pipeline.policy.params import PolicyShape
from pipeline.replay.played import Played, play
from tests.pipeline.conftest import weights

if TYPE_CHECKING:
    from pipeline.evaluate.chosen import Chosen

NUM_STEPS = 12


def trained_policy(*, memory: bool = True) -> Trained:
    config = Config(observation_memory=memory, actions="merged" if memory else "all")
    shape = PolicyShape.of(Interface(memory, config.actions), config.hidden_sizes)
    critic = np.random.default_rng(3).normal(0, 0.3, shape.critic.num_values).astype(np.float32)
    return Trained(Path("runs/random"), config, 17, "as asked for", 20, 1280, weights(5, shape), critic)


def chosen(index: int = 0, num_episodes: int = 1, num_steps: int = NUM_STEPS, **changes: object) -> Chosen:
    config = trained_policy().config.model_copy(update={"seed": 4, **changes})
    return compared(config, num_steps, range(index, index + num_episodes))


@pytest.fixture(scope="session")
def trained() -> Trained:
    return trained_policy()


@pytest.fixture(scope="session")
def played(trained: Trained) -> Played:
    return play(trained, chosen())
