"""Models of Stable-Baselines3, untrained, as it saves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import pytest
import sb3_contrib
import stable_baselines3

if TYPE_CHECKING:
    from pathlib import Path

POLICIES = {
    "PPO": "MlpPolicy",
    "A2C": "MlpPolicy",
    "DQN": "MlpPolicy",
    "MaskablePPO": "MlpPolicy",
    "RecurrentPPO": "MlpLstmPolicy",
}


def new_model(algorithm: str, **options: Any) -> Any:
    package = sb3_contrib if hasattr(sb3_contrib, algorithm) else stable_baselines3
    env = gymnasium.make("pipeline.cage2.gym:Cage2-v0", **options)
    few = {"n_steps": 8} if algorithm == "A2C" else {"buffer_size": 100} if algorithm == "DQN" else {"n_steps": 64}
    return getattr(package, algorithm)(POLICIES[algorithm], env, seed=0, device="cpu", **few)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each kind, by its algorithm's name."""
    folder = tmp_path_factory.mktemp("models")
    for algorithm in POLICIES:
        new_model(algorithm).save(folder / f"{algorithm}.zip")
    return {algorithm: folder / f"{algorithm}.zip" for algorithm in POLICIES}
