"""A `View` of a game that the engine plays, and the addresses that the engine draws but does not keep."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.engine.blue import NO_SUCCESS, SUCCESS
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.game_state import StateError
from pipeline.cage2.engine.mersenne import NUM_WORDS, STATE_VERSION
from pipeline.cage2.engine.red import ACTIONS, SLEEP, SWEEP
from pipeline.cage2.engine.state import ATTRIBUTE, DECOYS, PID_MASK, SESSIONS
from pipeline.cage2.facts import spec
from pipeline.cage2.show.view import Addresses, Session, View, assemble

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

Origin = int | bytes
"""Where a game's generator stood when the episode began: a seed, or `[625]` uint32, its words and the place in them."""
_ORIGIN_BYTES = 4 * (NUM_WORDS + 1)


class Origins:
    """Where the generator of each game stood when its episode began.

    All but one of the addresses influence nothing (`network.draw_addresses`), so the engine makes their draws and
    forgets them. From here they can be drawn once more, by whoever wants to see them.

    Args:
        batch: The games.
    """

    def __init__(self, batch: GameBatch) -> None:
        self._batch = batch
        self._seeds: list[int | None] = [None] * len(batch)
        self._words = np.zeros((len(batch), NUM_WORDS), dtype=np.uint32)
        self._word_index = np.zeros(len(batch), dtype=np.int64)

    def reset(self, seeds: Sequence[int | None], indices: npt.NDArray[np.int64]) -> None:
        """Start an episode in some games, and note where it started.

        Args:
            seeds: `[n]`. With one, the game is played as by a CybORG that is built and wrapped after seeding; with
                None, by the one that is there.
            indices: `[n]`, which games.
        """
        batch = self._batch
        is_new = np.array([seed is not None for seed in seeds])
        for index, seed in zip(indices.tolist(), seeds, strict=True):
            self._seeds[index] = seed
        going_on = indices[~is_new]
        if len(going_on):
            self._words[going_on] = batch.games["words"][going_on]
            self._word_index[going_on] = batch.games["word_index"][going_on]
            batch.reset([None] * len(going_on), going_on)
        if len(going_on) < len(indices):
            batch.reset([seed for seed in seeds if seed is not None], indices[is_new], is_new=True)

    def origin(self, index: int) -> Origin:
        """Return where the episode of a game began."""
        seed = self._seeds[index]
        if seed is not None:
            return int(seed)
        return np.append(self._words[index], np.uint32(self._word_index[index])).tobytes()

    def check(self, origins: Sequence[Origin]) -> None:
        """Check that these are origins.

        Raises:
            StateError: One is not.
        """
        for origin in origins:
            is_place = isinstance(origin, bytes) and len(origin) == _ORIGIN_BYTES and _place(origin) <= NUM_WORDS
            if not (is_place or isinstance(origin, int)):
                raise StateError("a damaged state: its episode began nowhere")

    def resume(self, origins: Sequence[Origin], indices: npt.NDArray[np.int64]) -> None:
        """Note where the episodes of `[n]` games began that go on from elsewhere; `check` has passed them."""
        for index, origin in zip(indices.tolist(), origins, strict=True):
            if isinstance(origin, bytes):
                self._seeds[index] = None
                self._words[index] = np.frombuffer(origin, dtype=np.uint32)[:-1]
                self._word_index[index] = _place(origin)
            else:
                self._seeds[index] = origin

    def addresses(self, index: int) -> Addresses:
        """Return the addresses of a game's network."""
        seed = self._seeds[index]
        if seed is None:
            state = STATE_VERSION, (*self._words[index].tolist(), int(self._word_index[index])), None
        else:  # all networks but the last are drawn in vain
            scratch = GameBatch(1, spec.RED_AGENTS[0])
            for drawn in range(spec.NETWORKS_OF_NEW - 1):
                scratch.reset([None if drawn else seed])
            state = scratch.generator_state(0)
        generator = random.Random()  # noqa: S311 - the game's own
        generator.setstate(state)
        return draw_addresses(generator)


def _place(origin: bytes) -> int:
    return int(np.frombuffer(origin, dtype=np.uint32)[-1])


def draw_addresses(generator: random.Random) -> Addresses:
    """Draw a network's addresses as CybORG does: ranges, then the hosts of each."""
    ranges = generator.sample(range(spec.NUM_RANGES), len(spec.SUBNETS))
    hosts = [""] * spec.NUM_HOSTS
    subnets = []
    for subnet, place in zip(spec.SUBNETS, ranges, strict=True):
        generator.choice((place,))  # which range of its own size in a range of this size
        first = place << spec.HOST_BITS
        subnets.append(f"{_dotted(first)}/{32 - spec.HOST_BITS}")
        addresses = generator.sample(range(spec.NUM_ADDRESSES), len(subnet.hosts))
        for host, address in zip(subnet.hosts, addresses, strict=True):
            hosts[host] = _dotted(first + 1 + address)
    return Addresses(tuple(hosts), tuple(subnets))


def fast_view(batch: GameBatch, index: int, addresses: Addresses) -> View:
    """Return a view of a game."""
    game, lists = batch.games[index], batch.lists[index]
    red_target = int(game["red_target"])
    names = [subnet.name for subnet in spec.SUBNETS] if game["red_action"] == SWEEP else spec.HOST_NAMES
    return assemble(
        observation=batch.observations[index],
        sessions=[
            [Session(entry & PID_MASK, entry >= ATTRIBUTE) for entry in lists[SESSIONS, host, :length].tolist()]
            for host, length in enumerate(game["num_sessions"].tolist())
        ],
        decoys=[
            [spec.DECOYS[entry // ATTRIBUTE].name for entry in lists[DECOYS, host, :length].tolist()]
            for host, length in enumerate(game["num_decoys"].tolist())
        ],
        known=int(game["known_addresses"]),
        scanned=sum(1 << host for host, ports in enumerate(game["port_memory"].tolist()) if ports),
        addresses=addresses,
        num_steps=int(game["num_steps"]),
        blue_action=int(game["blue_action"]),
        blue_success=None if game["blue_success"] == NO_SUCCESS else bool(game["blue_success"] == SUCCESS),
        red_action=ACTIONS[game["red_action"]],
        red_target=names[red_target] if red_target >= 0 else None,
        red_success=None if game["red_action"] == SLEEP else bool(game["red_success"]),
        ot_service_up=bool(game["ot_running"]),
    )


def _dotted(number: int) -> str:
    return f"10.0.{number >> 8}.{number & 255}"
