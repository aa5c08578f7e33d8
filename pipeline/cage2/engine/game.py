"""A game from reset to step, and the entry points from Python.

step:  Blue acts -> Red chooses -> Red acts -> reward -> Monitor -> table -> observation
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.engine import blue, red
from pipeline.cage2.engine.agents import agent
from pipeline.cage2.engine.blue_table import monitor, reset_table, update_table, write_observation
from pipeline.cage2.engine.mersenne import seed_generator
from pipeline.cage2.engine.network import clear_network, draw_network, place_red
from pipeline.cage2.engine.reward import compute_reward
from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.numerics.compiled import compiled, int64, kernel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.cage2.engine.state import Games, Lists

AGENTS_CHOICE = int64(-1)
"""In the place of Red's action: what the game's own agent chooses."""
HAS_ACTED = int64(-1)
"""In the place of Blue's action: it was played before Red chose (`begin_games`)."""


@compiled
def reset(game: Any, lists: Lists, num_networks: int) -> None:
    """Start an episode from the generator as it stands; all networks but the last are drawn in vain."""
    clear_network(game)
    for _ in range(num_networks):
        draw_network(game, lists)
    place_red(game, lists)
    agent.reset(game)
    red.forget_action(game)
    game.blue_action = 0
    game.blue_success = blue.NO_SUCCESS
    game.new_decoy_host = -1
    game.found_malware = 0
    game.reward = 0
    reset_table(game)


@compiled
def step(game: Any, lists: Lists, blue_action: int, red_action: int, red_target: int) -> None:
    """Play one step: Blue's action, then Red's. Leaves `observation`, `reward` and all else in the game.

    Red's action comes from outside, and then nothing is drawn for the choice, or it is `AGENTS_CHOICE`. What the game's
    own agent chooses can't be handed in: it is drawn, in CybORG, once Blue's action has drawn what it takes. Whoever
    chooses like that outside does so between the halves of a step (`begin_games`, `finish_games`).

    Args:
        game: The record.
        lists: `[3, 13, room]`.
        blue_action: 0 to 144, or `HAS_ACTED`.
        red_action: One of `red.ACTIONS`, by its place, or `AGENTS_CHOICE`.
        red_target: One of the action's `red.TARGETS`; of no matter with `AGENTS_CHOICE`.
    """
    if blue_action != HAS_ACTED:
        game.num_steps += 1
        blue.act(game, lists, blue_action)
    if red_action == AGENTS_CHOICE:
        red_action, red_target = agent.choose(game)
    red.carry_out(game, lists, red_action, red_target)
    game.reward = compute_reward(game)
    monitor(game, lists)
    update_table(game)
    write_observation(game)


@kernel
def reset_games(
    games: Games,
    lists: Lists,
    indices: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint32],
    key_lengths: npt.NDArray[np.int64],
    num_networks: int,
) -> None:
    """Start an episode in some of the games.

    Args:
        games: `[B]`.
        lists: `[B, 3, 13, room]`.
        indices: `[n]`, which games.
        keys: `[n, k]`, what their generators are seeded with (`mersenne.seed_key`).
        key_lengths: `[n]`, how much of each key counts; 0: the generator goes on from where it is.
        num_networks: `spec.NETWORKS_OF_RESET` or `spec.NETWORKS_OF_NEW`.
    """
    for i in range(len(indices)):
        game = games[indices[i]]
        if key_lengths[i]:
            seed_generator(game, keys[i, : key_lengths[i]])
        reset(game, lists[indices[i]], num_networks)


@kernel
def seed_games(
    games: Games, indices: npt.NDArray[np.int64], keys: npt.NDArray[np.uint32], key_lengths: npt.NDArray[np.int64]
) -> None:
    """Seed the generators of some of the games, and leave all else as it is; see `reset_games`."""
    for i in range(len(indices)):
        if key_lengths[i]:
            seed_generator(games[indices[i]], keys[i, : key_lengths[i]])


@kernel
def step_games(
    games: Games,
    lists: Lists,
    first: int,
    moves: npt.NDArray[np.int64],
    observations: npt.NDArray[np.int8],
    rewards: npt.NDArray[np.int64],
    red_hosts: npt.NDArray[np.int64],
) -> int:
    """Play one step of every game from `first` on.

    Args:
        games: `[B]`.
        lists: `[B, 3, 13, room]`.
        first: Index of the first game to play.
        moves: `[B, 3]`, Blue's action, Red's and its target; see `step`. Nothing is played if one of Blue's is not 0 to
            144; Red's are not checked.
        observations: `[B, 52]`, written.
        rewards: `[B]`, written, in tenths of a point.
        red_hosts: `[B]`, written: masks of the hosts with a Red session.

    Returns:
        Index of the first game that was not played, since it has not been reset yet or its lists have no room for
        another step; `B` if there is none. Or `-1 - index` of the first of Blue's actions that there isn't.
    """
    room = lists.shape[3]
    for index in range(first, len(games)):
        if not 0 <= moves[index, 0] < NUM_ACTIONS:
            return -1 - index
    for index in range(first, len(games)):
        game = games[index]
        if game.num_steps < 0 or game.num_steps + 1 >= room:
            return index
        step(game, lists[index], moves[index, 0], moves[index, 1], moves[index, 2])
        for i in range(OBSERVATION_SIZE):
            observations[index, i] = game.observation[i]
        rewards[index] = game.reward
        red_hosts[index] = game.red_hosts
    return len(games)


@kernel
def begin_games(games: Games, lists: Lists, first: int, moves: npt.NDArray[np.int64]) -> int:
    """Play Blue's half of a step of every game from `first` on; see `step_games`, also for what is returned."""
    room = lists.shape[3]
    for index in range(first, len(games)):
        if not 0 <= moves[index, 0] < NUM_ACTIONS:
            return -1 - index
    for index in range(first, len(games)):
        game = games[index]
        if game.num_steps < 0 or game.num_steps + 1 >= room:
            return index
        game.num_steps += 1
        blue.act(game, lists[index], moves[index, 0])
    return len(games)


@kernel
def finish_games(games: Games, lists: Lists, moves: npt.NDArray[np.int64]) -> None:
    """Play the other half of a step of every game, from Red's choice on; what comes of it is left in the games."""
    for index in range(len(games)):
        step(games[index], lists[index], HAS_ACTED, moves[index, 1], moves[index, 2])
