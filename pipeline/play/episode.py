"""The rollout, step by step, on any environment: the reference for the compiled one in `rollout.py`.

Who decides on the actions is left open: a policy in the same process (`play_episode`), or one in another process that
sees many environments (`synchronous.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.facts.spec import OBSERVATION_SIZE
from pipeline.policy.forward import Actor
from pipeline.policy.params import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from pipeline.cage2.env import Cage2Env
    from pipeline.cage2.facts.compliance import Verdicts


def play_stepwise(
    env: Cage2Env,
    memory: Memory,
    verdicts: Verdicts,
    *,
    environment_seed: int,
    record: Mapping[str, npt.NDArray[np.generic]],
) -> Iterator[int]:
    """Play one episode and write it down, all but how the actions come about.

    Args:
        env: The game; reset first.
        memory: What Blue remembers, and through it sees and acts; begun anew.
        verdicts: Of this workflow.
        environment_seed: Seeds the game.
        record: Views of one slot, as `record.record_layout` names them. `action` and `log_prob` are the caller's to
            write, all other fields are written here.

    Yields:
        Each step `t`, 0 to `T - 1`: `observation[t]` has been written, and `action[t]` must be, before it goes on.
    """
    observations, choices = record["observation"], record["action"]
    rewards, fixes = record["reward_tenths"], record["fix"]
    memory.begin(len(choices), env.reset(environment_seed), observations[0])
    for t in range(len(choices)):
        yield t
        action = memory.act(int(choices[t]))
        # compliance is judged by what Red held *before* the action
        fixes[t] = verdicts.fix[action, verdicts.compromised[env.red_hosts()]]
        table, rewards[t] = env.step(action)
        memory.see(table, observations[t + 1])


def play_episode(
    env: Cage2Env,
    memory: Memory,
    actor: Actor,
    verdicts: Verdicts,
    *,
    workflow_id: int,
    environment_seed: int,
    actions_seed: int,
    record: Mapping[str, npt.NDArray[np.generic]],
    greedy: bool = False,
) -> None:
    """Play one episode and write it down, step by step.

    Args:
        env: The game; reset first.
        memory: What Blue remembers, and through it sees and acts; begun anew.
        actor: The behavior policy.
        verdicts: Of this workflow.
        workflow_id: 0 to 119.
        environment_seed: Seeds the game.
        actions_seed: Seeds the sampling of actions.
        record: Views of one slot, as `record.record_layout` names them; all fields are written.
        greedy: Take the likeliest action at each step instead of sampling.
    """
    observations, actions, log_probs = record["observation"], record["action"], record["log_prob"]
    uniforms = seeding.uniforms(actions_seed, len(actions))
    for t in play_stepwise(env, memory, verdicts, environment_seed=environment_seed, record=record):
        actions[t], log_probs[t] = actor.sample(observations[t], workflow_id, float(uniforms[t]), greedy=greedy)


def warm_up() -> None:
    """Compile what a step calls besides the game, or load it where an earlier process has kept it."""
    actor = Actor(np.zeros(PLAIN.actor.num_values, np.float32), PLAIN)
    memory, table = Memory(Interface()), np.zeros(OBSERVATION_SIZE, np.int8)
    row = np.zeros_like(table)
    memory.begin(1, table, row)
    memory.act(actor.sample(row, 0, 0.5)[0])
    memory.see(table, row)
