"""The rollout, step by step, on any environment: the reference for the compiled one in `rollout.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import seeding

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from pipeline.cage2.compliance import Verdicts
    from pipeline.cage2.env import Cage2Env
    from pipeline.policy.forward import Actor


def play_episode(
    env: Cage2Env,
    actor: Actor,
    verdicts: Verdicts,
    *,
    environment_seed: int,
    actions_seed: int,
    record: Mapping[str, npt.NDArray[np.generic]],
) -> None:
    """Play one episode and write it down, step by step.

    Args:
        env: The game; reset first.
        actor: The behavior policy, for this workflow.
        verdicts: Of this workflow.
        environment_seed: Seeds the game.
        actions_seed: Seeds the sampling of actions.
        record: Views of one slot, as `record.record_layout` names them; all fields are written.
    """
    observations, actions, log_probs = record["observation"], record["action"], record["log_prob"]
    rewards, fixes = record["reward_tenths"], record["fix"]
    num_steps = len(actions)
    uniforms = seeding.uniforms(actions_seed, num_steps)

    observation = env.reset(environment_seed)
    observations[0] = observation
    for t in range(num_steps):
        action, log_prob = actor.sample(observation, float(uniforms[t]))
        # compliance is judged by what Red held *before* the action
        fixes[t] = verdicts.fix[action, verdicts.compromised[env.red_hosts()]]
        observation, reward = env.step(action)
        actions[t], log_probs[t], rewards[t] = action, log_prob, reward
        observations[t + 1] = observation
