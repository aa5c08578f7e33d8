"""Games of CAGE-2 from Python: `B` of them, each with a generator of its own, played together or one by one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, get_args

import numpy as np

from pipeline.cage2.engine import mersenne
from pipeline.cage2.engine.game import AGENTS_CHOICE, reset_games, step_games
from pipeline.cage2.engine.red import ACTIONS, NO_TARGET, TARGETS
from pipeline.cage2.engine.state import Games, Lists, new_games, new_lists
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import Observation, Profile, require

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


class GameBatch:
    """`B` games that know nothing of one another: what happens in one is the same in any batch.

    Args:
        num_games: `B`, 1 or more.
        red_agent: One of `spec.RED_AGENTS`.
        profile: Which state of the game is played.
        observation: How Blue is shown it.
        room: Steps of an episode to have memory for at first. An episode may be longer: memory then doubles.

    Raises:
        ValueError: An argument is none of those.

    Attributes:
        games: `[B]` of `state.GAME`: all that there is of each game but for its lists.
        lists: `[B, 3, 13, room + 1]` int32, see `state`. Replaced by larger ones when memory doubles.
        observations: `[B, 52]` int8 in {0, 1}, of the last step of each game; written in place.
        rewards: `[B]` int64, of the last step of each game, in tenths of a point; written in place.
        red_hosts: `[B]` int64: bit per host with a Red session, in host order; written in place.
    """

    def __init__(
        self,
        num_games: int,
        red_agent: str,
        profile: Profile = "head",
        observation: Observation = "stock",
        room: int = spec.EPISODE_STEPS,
    ) -> None:
        if num_games < 1 or room < 1:
            raise ValueError(f"num_games and room are 1 or more, not {num_games} and {room}")
        self.games: Games = new_games(num_games)
        self.lists: Lists = new_lists(num_games, room + 1)
        self.observations = np.zeros((num_games, spec.OBSERVATION_SIZE), dtype=np.int8)
        self.rewards = np.zeros(num_games, dtype=np.int64)
        self.red_hosts = np.zeros(num_games, dtype=np.int64)
        self.games["red_agent"] = _place(red_agent, spec.RED_AGENTS, "Red agent")
        self.games["profile"] = _place(profile, get_args(Profile), "profile")
        self.games["table_kind"] = _place(observation, get_args(Observation), "observation")
        self.games["num_steps"] = -1
        entropy = os.urandom(self.games["words"].nbytes)
        self.games["words"] = np.frombuffer(entropy, dtype=np.uint32).reshape(num_games, -1)
        self.games["word_index"] = mersenne.NUM_WORDS
        self._moves = np.full((num_games, 3), (spec.SLEEP, AGENTS_CHOICE, NO_TARGET), dtype=np.int64)

    def __len__(self) -> int:
        """Return `B`."""
        return len(self.games)

    def reset(
        self,
        seeds: Sequence[int | None] | npt.NDArray[np.uint64],
        indices: npt.ArrayLike | None = None,
        *,
        is_new: bool = False,
    ) -> None:
        """Start an episode in some games.

        Args:
            seeds: `[n]`. An int does what `random.seed` does, for this game; None lets its generator go on, which
                starts, as Python's does, from the system's own randomness.
            indices: `[n]` integers, which games; all by default.
            is_new: Whether CybORG is built and wrapped after seeding, before the reset, or has been before. A new one
                draws the network three times.

        Raises:
            ValueError: There is not one seed for each game, or an index is of no game; nothing was started.
        """
        indices = np.arange(len(self)) if indices is None else self._checked(indices)
        if len(seeds) != len(indices):
            raise ValueError(f"{len(seeds)} seeds for {len(indices)} games: give one for each")
        keys, key_lengths = _keys(seeds)
        num_networks = spec.NETWORKS_OF_NEW if is_new else spec.NETWORKS_OF_RESET
        reset_games(self.games, self.lists, indices, keys, key_lengths, num_networks)
        self.observations[indices] = 0
        self.rewards[indices] = 0
        self.red_hosts[indices] = 1 << spec.RED_FOOTHOLD_INDEX

    def set_red_agents(self, red_agents: Sequence[str], indices: npt.NDArray[np.int64]) -> None:
        """Set who attacks in some games from their next reset on.

        Args:
            red_agents: `[n]`, each one of `spec.RED_AGENTS`.
            indices: `[n]`, which games.

        Raises:
            ValueError: One is none of those.
        """
        self.games["red_agent"][indices] = [_place(name, spec.RED_AGENTS, "Red agent") for name in red_agents]

    def step(self, actions: npt.ArrayLike, red_actions: npt.ArrayLike | None = None) -> None:
        """Play one step of every game; what comes of it is in `observations`, `rewards` and `red_hosts`.

        Args:
            actions: `[B]` integers, ids of Blue's actions, 0 to 144.
            red_actions: `[B, 2]` integers, for an attacker from outside: what Red does in place of what its agent would
                choose, an action by its place in `red.ACTIONS` and one of its `red.TARGETS`. Whether Red knows the
                target is not asked.

        Raises:
            ValueError: There is no such action; no game was played.
            RuntimeError: A game has not been reset yet; the games before it were played.
        """
        moves = self._moves
        moves[:, 0] = actions
        if red_actions is not None:
            moves = moves.copy()
            moves[:, 1:] = red_actions
            _check_red(moves[:, 1:])
        first = self._play(0, moves)
        if first < 0:
            action = moves[-1 - first, 0]
            raise ValueError(f"action {action} is not one of Blue's, 0 to {spec.NUM_ACTIONS - 1}")
        while first < len(self.games):
            if self.games["num_steps"][first] < 0:
                raise RuntimeError(f"game {first} has not been started: reset it first")
            self._grow()
            first = self._play(first, moves)

    def generator_state(self, index: int) -> tuple[int, tuple[int, ...], None]:
        """Return the state of a game's generator, as `random.getstate()` would give it."""
        return mersenne.get_state(self.games[index])

    def set_generator_state(self, index: int, state: tuple[int, tuple[int, ...], object]) -> None:
        """Let a game's generator go on from a state of `random.getstate()`.

        Raises:
            ValueError: It isn't a state of MT19937.
        """
        mersenne.set_state(self.games[index], state)

    def _checked(self, indices: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return indices as `[n]` int64: compiled code would write wherever they point, and a mask is none."""
        array = np.asarray(indices)
        if array.size == 0:
            return np.zeros(0, dtype=np.int64)
        if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= len(self):
            raise ValueError(f"indices of games are [n] integers from 0 to {len(self) - 1}, not {indices!r}")
        return array.astype(np.int64)

    def _play(self, first: int, moves: npt.NDArray[np.int64]) -> int:
        return step_games(self.games, self.lists, first, moves, self.observations, self.rewards, self.red_hosts)

    def _grow(self) -> None:
        num_games, _, _, room = self.lists.shape
        grown = new_lists(num_games, 2 * room)
        grown[..., :room] = self.lists
        self.lists = grown


def warm_up() -> None:
    """Compile the engine, or load what was kept of it, so that processes that start later only have to load it."""
    batch = GameBatch(1, spec.RED_AGENTS[0])
    batch.reset([0])
    batch.step(0)


def _place(name: str, names: tuple[str, ...], kind: str) -> int:
    require(kind, name, names)
    return names.index(name)


def _check_red(actions: npt.NDArray[np.int64]) -> None:
    for action, target in actions.tolist():
        if not 0 <= action < len(ACTIONS) or target not in TARGETS[action]:
            raise ValueError(f"action {action} on {target} is not one of Red's: see red.ACTIONS and red.TARGETS")


def _keys(
    seeds: Sequence[int | None] | npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    if isinstance(seeds, np.ndarray) and seeds.dtype == np.uint64:
        keys = np.stack([seeds & np.uint64(mersenne.WORD_MASK), seeds >> np.uint64(32)], axis=1).astype(np.uint32)
        return keys, 1 + (keys[:, 1] > 0).astype(np.int64)
    parts = [np.zeros(0, dtype=np.uint32) if seed is None else mersenne.seed_key(int(seed)) for seed in seeds]
    lengths = np.array([len(part) for part in parts], dtype=np.int64)
    keys = np.zeros((len(parts), int(lengths.max(initial=1))), dtype=np.uint32)
    for key, part in zip(keys, parts, strict=True):
        key[: len(part)] = part
    return keys, lengths
