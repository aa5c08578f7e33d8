"""Play-outs: what comes of games that were saved when an agent plays on, by the thousand, for search.

[n] states -> games in memory, a few at a time -> one kernel plays each `T` steps -> [n] sums of rewards
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.engine.game_state import GameState, read
from pipeline.cage2.engine.state import new_games, new_lists
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.names import Compromised, require
from pipeline.cage2.facts.spec import EPISODE_STEPS, HOST_TYPES
from pipeline.cage2.gym.blue_side import BlueSide
from pipeline.cage2.gym.env_state import EnvState
from pipeline.numerics.compiled import int64, kernel, must_be_compiled
from pipeline.play.baselines import BASELINES
from pipeline.play.record import record_layout
from pipeline.play.rollout import BY_ACTOR, go_on
from pipeline.policy.forward import Actor, fits
from pipeline.policy.params import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pipeline.cage2.engine.state import Games, Lists

AT_A_TIME = 64
"""Games in memory: about 2 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A trained policy that plays on; to be kept, since its actor remembers what it has computed."""

    actor: Actor
    interface: Interface
    """What it sees and may do."""
    workflow_id: int
    """The order that it follows, 0 to 119."""
    greedy: bool = False
    """Whether it takes the likeliest action each time, or draws one."""
    episode_steps: int = EPISODE_STEPS
    """By which its memory tells the time."""


def play_out(
    states: Sequence[GameState | EnvState],
    agent: Policy | str,
    num_steps: int,
    seeds: Sequence[int] | npt.NDArray[np.uint64] | None = None,
) -> npt.NDArray[np.float64]:
    """Play games on from states, and return what each step's reward adds up to.

    A result is a function of its own state, of the agent, of the number of steps and of its own seed alone. What the
    game draws comes from the state: reseed it for another future (`branch`).

    Args:
        states: `[n]`, of any kinds of games. For an agent that remembers, or whose actions are merged, they are states
            of environments with the same options; any other sees the engine's table and needs no more.
        agent: A policy, or the name of one of `baselines.BASELINES`.
        num_steps: `T`, 1 or more. Nothing ends earlier.
        seeds: `[n]` ints from 0 to 2**64 - 1, by which an agent that draws its actions does so (`seeding.uniforms`); 0
            to `n - 1` by default.

    Returns:
        `[n]`, in points.

    Raises:
        StateError: A state is damaged, of another version, or without what the policy remembers.
        UnknownNameError: There is no such baseline.
        ValueError: There is not one seed for each state, no step, or a policy's parts don't fit together.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps is 1 or more, not {num_steps}")
    if seeds is None:
        seeds = range(len(states))
    if len(seeds) != len(states):
        raise ValueError(f"{len(seeds)} seeds for {len(states)} states: give one for each")
    if isinstance(agent, str):
        require("agent", agent, BASELINES)
    keys = np.array(seeds, dtype=np.uint64)
    sums = np.zeros(len(states), dtype=np.int64)
    scratch = _scratch(num_steps, Interface() if isinstance(agent, str) else agent.interface)
    for first in range(0, len(states), AT_A_TIME):
        some = slice(first, first + AT_A_TIME)
        _play_some(states[some], agent, keys[some], scratch, sums[some])
    return sums / 10


def must_compile() -> bool:
    """Return whether machine code has to be made first, once, which takes some 10 seconds."""
    return must_be_compiled(_play_on)


class _Loaded(NamedTuple):
    """Games that are to be played on."""

    games: Games
    lists: Lists
    memories: npt.NDArray[np.void]
    rows: npt.NDArray[np.int8]
    """`[n, observation_size]`, what Blue sees now."""


def _load(states: Sequence[GameState | EnvState], policy: Policy | None, num_steps: int) -> _Loaded:
    """Return states in memory, with room for steps that are yet to come."""
    read_games, read_lists = read([state.game if isinstance(state, EnvState) else state for state in states])
    room = read_lists.shape[3]
    games, lists = new_games(len(states)), new_lists(len(states), room + num_steps)
    games[:], lists[..., :room] = read_games, read_lists
    interface = Interface() if policy is None else policy.interface
    memories = np.repeat(Memory(interface).state, len(states))
    if policy is None or interface.is_plain:
        return _Loaded(games, lists, memories, games["observation"].copy())
    blue = BlueSide(1, interface, policy.episode_steps)
    memories[:], rows = blue.read([state.memory if isinstance(state, EnvState) else b"" for state in states])
    return _Loaded(games, lists, memories, rows)


def _play_some(
    states: Sequence[GameState | EnvState],
    agent: Policy | str,
    seeds: npt.NDArray[np.uint64],
    scratch: dict[str, npt.NDArray[Any]],
    sums: npt.NDArray[np.int64],
) -> None:
    policy = None if isinstance(agent, str) else agent
    verdicts = _verdicts()
    played = _play_on(
        *_load(states, policy, len(scratch["action"])),
        (policy.actor if policy else _nobody()).state,
        policy.workflow_id if policy else 0,
        policy.greedy if policy else False,
        BY_ACTOR if policy else int64(list(BASELINES).index(str(agent))),
        verdicts.compromised,
        verdicts.fix,
        seeds,
        scratch["observation"],
        scratch["action"],
        scratch["log_prob"],
        scratch["reward_tenths"],
        scratch["fix"],
        sums,
    )
    if not played:
        raise ValueError("actor, interface and workflow of the policy are not made for one another")


def _scratch(num_steps: int, interface: Interface) -> dict[str, npt.NDArray[Any]]:
    """Return memory for one game's steps, which nobody asks for."""
    fields = record_layout(num_steps, interface.observation_size).fields
    return {field.name: np.empty(field.shape, field.dtype) for field in fields}


@cache
def _verdicts() -> Verdicts:
    """Return some order's: the rollout judges compliance, which nobody asks for."""
    return Verdicts(range(len(HOST_TYPES)), Compromised.FIXABLE)


@cache
def _nobody() -> Actor:
    """Return the actor of those who need none."""
    return Actor(np.zeros(PLAIN.actor.num_values, np.float32), PLAIN)


@kernel
def _play_on(
    games: Games,
    lists: Lists,
    memories: npt.NDArray[np.void],
    rows: npt.NDArray[np.int8],
    actors: npt.NDArray[np.void],
    workflow_id: int,
    greedy: bool,
    baseline: int,
    compromised: npt.NDArray[np.uint8],
    verdict: npt.NDArray[np.int8],
    seeds: npt.NDArray[np.uint64],
    observations: npt.NDArray[np.int8],
    actions: npt.NDArray[np.uint8],
    log_probs: npt.NDArray[np.float32],
    rewards: npt.NDArray[np.int16],
    fixes: npt.NDArray[np.int8],
    sums: npt.NDArray[np.int64],
) -> bool:
    """Play `[n]` games on, one after the other, and write the sums of their rewards; see `rollout.go_on`.

    Returns:
        Whether they were played: none is if the agent doesn't fit what is seen and done.
    """
    actor = actors[0]
    is_fit = fits(actor, rows[0], workflow_id) and actor.num_actions == memories[0].num_actions
    if baseline == BY_ACTOR and not is_fit:
        return False
    for index in range(len(games)):
        observations[0, :] = rows[index]
        go_on(
            games[index],
            lists[index],
            memories[index],
            actor,
            workflow_id,
            greedy,
            baseline,
            compromised,
            verdict,
            seeds[index],
            observations,
            actions,
            log_probs,
            rewards,
            fixes,
        )
        total = 0
        for t in range(len(rewards)):
            total += rewards[t]
        sums[index] = total
    return True
