"""Makes `Cage2-v0` known to gymnasium. Light: what plays the game is imported when one is made."""

from __future__ import annotations

from gymnasium.envs.registration import register as register_env
from gymnasium.envs.registration import registry

ENV_ID = "Cage2-v0"


def register() -> None:
    """Register the environment, once."""
    if ENV_ID not in registry:
        register_env(
            id=ENV_ID,
            entry_point="pipeline.cage2.gym.env:Cage2GymEnv",
            vector_entry_point="pipeline.cage2.gym.vector:Cage2VectorEnv",
        )


register()
