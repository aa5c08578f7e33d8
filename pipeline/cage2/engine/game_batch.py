"""Games of CAGE-2 from Python: `B` of them, each with a generator of its own, played together or one by one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from pipeline.cage2.engine import mersenne
from pipeline.cage2.engine.game import AGENTS_CHOICE, begin_games, finish_games, reset_games, seed_games, step_games
from pipeline.cage2.engine.game_state import GameState, read, require_kind, write
from pipeline.cage2.engine.outsiders import Outsiders, check_moves
from pipeline.cage2.engine.red import NO_TARGET
from pipeline.cage2.engine.state import Games, Lists, new_games, new_lists
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import Observation, Profile, require

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy.typing as npt

    from pipeline.cage2.engine.mersenne import Seeds


class GameBatch:
    """`B` games that know nothing of one another: what happens in one is the same in any batch.

    Args:
        num_games: `B`, 1 or more.
        red_agent: One of `spec.RED_AGENTS`, or one's own (`attackers.reference`), which is loaded here.
        profile: Which state of the game is played.
        observation: How Blue is shown it.
        room: Steps of an episode to have memory for at first. An episode may be longer: memory then doubles.

    Raises:
        ValueError: An argument is none of those.
        AttackerNotFoundError: There is no such attacker of one's own.

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
        self.games["profile"] = _place(profile, get_args(Profile), "profile")
        self.games["table_kind"] = _place(observation, get_args(Observation), "observation")
        self.games["num_steps"] = -1
        entropy = os.urandom(self.games["words"].nbytes)
        self.games["words"] = np.frombuffer(entropy, dtype=np.uint32).reshape(num_games, -1)
        self.games["word_index"] = mersenne.NUM_WORDS
        self._outsiders = Outsiders(self.games, red_agent)
        self._moves = np.full((num_games, 3), (spec.SLEEP, AGENTS_CHOICE, NO_TARGET), dtype=np.int64)

    def __len__(self) -> int:
        """Return `B`."""
        return len(self.games)

    def reset(
        self,
        seeds: Seeds,
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
            AttackerError: An attacker of one's own can't be made; these games have to be reset again.
        """
        indices = self.places(indices)
        keys, key_lengths = mersenne.keys_of(seeds, len(indices))
        num_networks = spec.NETWORKS_OF_NEW if is_new else spec.NETWORKS_OF_RESET
        reset_games(self.games, self.lists, indices, keys, key_lengths, num_networks)
        self.observations[indices] = 0
        self.rewards[indices] = 0
        self.red_hosts[indices] = 1 << spec.RED_FOOTHOLD_INDEX
        self._outsiders.reset(indices.tolist(), list(seeds))

    def red_agents(self, indices: npt.NDArray[np.int64]) -> list[str]:
        """Return who attacks in `[n]` games, none of them somebody's own."""
        return [spec.RED_AGENTS[place] for place in self.games["red_agent"][indices]]

    def set_red_agents(self, red_agents: Sequence[str], indices: npt.NDArray[np.int64]) -> None:
        """Set who attacks in `[n]` games from their next reset on; see `Outsiders.set_red_agents`."""
        self._outsiders.set_red_agents(red_agents, indices.tolist())

    def step(
        self,
        actions: npt.ArrayLike,
        red_actions: npt.ArrayLike | None = None,
        resting: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Play one step of every game; what comes of it is in `observations`, `rewards` and `red_hosts`.

        Args:
            actions: `[B]` integers, ids of Blue's actions, 0 to 144.
            red_actions: `[B, 2]` integers, for an attacker from outside: what Red does in place of what its agent would
                choose, an action by its place in `red.ACTIONS` and one of its `red.TARGETS`. Whether Red knows the
                target is not asked.
            resting: `[B]`, games whose step is of no account: attackers of one's own are not asked there.

        Raises:
            ValueError: There is no such action, or Red chooses by itself; no game was played.
            RuntimeError: A game has not been reset yet; the games before it were played.
            AttackerError: An attacker of one's own failed; all games have to be reset, and their generators go on from
                there.
        """
        self._moves[:, 0] = actions
        moves = self._moves
        if red_actions is not None:
            if self._outsiders.sides:
                raise ValueError("an attacker of one's own chooses what Red does: leave red_actions out")
            moves = moves.copy()
            moves[:, 1:] = red_actions
            check_moves(moves[:, 1:])
        elif self._outsiders.sides:
            self._step_outside(moves.copy(), resting)
            return
        first = step_games(self.games, self.lists, 0, moves, self.observations, self.rewards, self.red_hosts)
        if first != len(self.games):
            self._go_on(first, step_games, moves, self.observations, self.rewards, self.red_hosts)

    def _step_outside(self, moves: npt.NDArray[np.int64], resting: npt.NDArray[np.bool_] | None) -> None:
        """Play one step of every game, in some of which Python chooses for Red."""
        self._require_started(range(len(self.games)))
        first = begin_games(self.games, self.lists, 0, moves)
        if first != len(self.games):
            self._go_on(first, begin_games, moves)
        try:
            self._outsiders.choose(moves, resting)
        except BaseException:
            self.games["num_steps"] = -1  # they stand in the middle of a step
            raise
        finish_games(self.games, self.lists, moves)
        self._show(slice(None))

    def _go_on(
        self, first: int, play: Callable[..., int], moves: npt.NDArray[np.int64], *shown: npt.NDArray[Any]
    ) -> None:
        """Have a kernel play the games that it has left over, from `first` on, with more memory where one needs it."""
        if first < 0:
            action = moves[-1 - first, 0]
            raise ValueError(f"action {action} is not one of Blue's, 0 to {spec.NUM_ACTIONS - 1}")
        while first < len(self.games):
            self._require_started([first])
            self._grow()
            first = play(self.games, self.lists, first, moves, *shown)

    def generator_state(self, index: int) -> tuple[int, tuple[int, ...], None]:
        """Return the state of a game's generator, as `random.getstate()` would give it."""
        return mersenne.get_state(self.games[index])

    def set_generator_state(self, index: int, state: tuple[int, tuple[int, ...], object]) -> None:
        """Let a game's generator go on from a state of `random.getstate()`.

        Raises:
            ValueError: It isn't a state of MT19937.
        """
        mersenne.set_state(self.games[index], state)

    def state(self, index: int = 0) -> GameState:
        """Return a game as it stands, to go on from whenever one likes; see `states`."""
        return self.states([index])[0]

    def states(self, indices: npt.ArrayLike | None = None) -> list[GameState]:
        """Return games as they stand, `indices` or all, with all that decides how they go on.

        Raises:
            ValueError: An index is of no game.
            RuntimeError: A game has not been reset yet.
            UnsavedAttackerError: One has an attacker of one's own.
        """
        self._require_started(places := self.places(indices))
        self._outsiders.require_none(places.tolist())
        return write(self.games, self.lists, places)

    def set_state(self, state: GameState, index: int = 0) -> None:
        """Let a game go on from a state; see `set_states`."""
        self.set_states([state], [index])

    def set_states(
        self,
        states: Sequence[GameState],
        indices: npt.ArrayLike | None = None,
        red_agents: Collection[str] = spec.RED_AGENTS,
    ) -> None:
        """Let games, `indices` or all, go on from states, which bring their Red agents along.

        Args:
            states: `[n]`, saved in any batch.
            indices: `[n]` integers, which games.
            red_agents: Those that may come along.

        Raises:
            StateError: A state is of another version, damaged, or of a game of another profile or observation than are
                played here; all games are as they were.
            ValueError: There is not one state for each game, or an index is of no game.
        """
        indices = self.places(indices)
        if len(states) != len(indices):
            raise ValueError(f"{len(states)} states for {len(indices)} games: give one for each")
        if not states:
            return
        games, lists = read(states)
        require_kind(games, red_agents, *(self.games[name][0] for name in ("profile", "table_kind")))
        while self.lists.shape[3] < lists.shape[3]:
            self._grow()
        self.games[indices] = games
        self.lists[indices, ..., : lists.shape[3]] = lists
        self._outsiders.leave(indices.tolist())
        self._show(indices)

    def branch(self, num_games: int, reseed: Seeds | None = None, index: int = 0) -> GameBatch:
        """Return a batch of games that all go on from where one of these stands, which is not touched.

        Args:
            num_games: How many, 1 or more.
            reseed: `[num_games]` seeds, see `reseed`; without, they are all the same game.
            index: Which game.

        Raises:
            ValueError: There is not one seed for each game, there are to be none, or the index is of no game.
            RuntimeError: The game has not been reset yet.
            UnsavedAttackerError: It has an attacker of one's own.
        """
        (place,) = self.places([index])
        self._require_started([place])
        self._outsiders.require_none([int(place)])
        game = self.games[place]
        room = self.lists.shape[3]
        profile, observation = get_args(Profile)[game["profile"]], get_args(Observation)[game["table_kind"]]
        batch = GameBatch(num_games, spec.RED_AGENTS[game["red_agent"]], profile, observation, room - 1)
        # not one record: NumPy 2.5 would put between its fields what happened to be in memory
        batch.games[:] = self.games[place : place + 1]
        batch.lists[..., :room] = self.lists[place]
        batch.observations[:] = self.observations[place]
        batch.rewards[:] = self.rewards[place]
        batch.red_hosts[:] = self.red_hosts[place]
        if reseed is not None:
            batch.reseed(reseed)
        return batch

    def reseed(self, seeds: Seeds, indices: npt.ArrayLike | None = None) -> None:
        """Let games draw new numbers from here on; all that has come to be, seen or hidden, stays as it is.

        Args:
            seeds: `[n]`. An int does what `random.seed` does, for this game; None lets its generator go on.
            indices: `[n]` integers, which games; all by default.

        Raises:
            ValueError: There is not one seed for each game, or an index is of no game.
        """
        indices = self.places(indices)
        seed_games(self.games, indices, *mersenne.keys_of(seeds, len(indices)))

    def _require_started(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> None:
        for index in np.asarray(indices)[self.games["num_steps"][indices] < 0]:
            raise RuntimeError(f"game {index} has not been started: reset it first")

    def places(self, indices: npt.ArrayLike | None) -> npt.NDArray[np.int64]:
        """Return indices of games as `[n]` int64, all for None: compiled code would write wherever they point.

        Raises:
            ValueError: One is of no game, or they are no integers, as a mask.
        """
        if indices is None:
            return np.arange(len(self))
        array = np.asarray(indices)
        if array.size == 0:
            return np.zeros(0, dtype=np.int64)
        if array.ndim != 1 or array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= len(self):
            raise ValueError(f"indices of games are [n] integers from 0 to {len(self) - 1}, not {indices!r}")
        return array.astype(np.int64)

    def _show(self, indices: slice | npt.NDArray[np.int64]) -> None:
        """Show some games as they stand."""
        self.observations[indices] = self.games["observation"][indices]
        self.rewards[indices] = self.games["reward"][indices]
        self.red_hosts[indices] = self.games["red_hosts"][indices]

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
