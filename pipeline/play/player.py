"""What plays the episodes that headers ask for, wherever it runs: one environment, and the policies in use."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.orders import ORDERS
from pipeline.play.record import failure_told
from pipeline.policy.forward import Actor

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from native_buffers.layout import Array
    from native_buffers.ring import EpisodeRing
    from pipeline.play.game import GameSpec

MAX_CACHED_ACTORS = 3
"""Weight versions kept ready: those in use overlap by the policy lag. Each takes up to 7 MB, in every worker."""
_TOLD = (Exception, SystemExit)
"""An episode that calls `sys.exit` must not end the worker, which has others to play."""


class Policies:
    """The policies in use, made from their weights when first asked for, and what compliance asks of each workflow."""

    def __init__(self, game: GameSpec, read_weights: Callable[[int], npt.NDArray[np.float32]]) -> None:
        """Args: game: whose rule of compliance counts. read_weights: returns the weights of a version."""
        self._compromised = game.compromised
        self._shape = game.shape
        self._read_weights = read_weights
        self._actors: OrderedDict[int, Actor] = OrderedDict()
        self._verdicts: dict[int, Verdicts] = {}

    def actor(self, version: int) -> Actor:
        """Return the actor of a weight version; its own until it is asked for others."""
        actor = self._actors.get(version)
        if actor is None:
            weights = self._read_weights(version)
            if len(self._actors) < MAX_CACHED_ACTORS:
                actor = Actor(weights, self._shape)
            else:
                _, actor = self._actors.popitem(last=False)
                actor.load(weights)
            self._actors[version] = actor
        return actor

    def verdicts(self, workflow_id: int) -> Verdicts:
        """Return what compliance with a workflow is judged by."""
        verdicts = self._verdicts.get(workflow_id)
        if verdicts is None:
            verdicts = self._verdicts[workflow_id] = Verdicts(ORDERS[workflow_id].tolist(), self._compromised)
        return verdicts


class Player:
    """Plays one episode after the other, each as its header asks."""

    def __init__(self, game: GameSpec, read_weights: Callable[[int], npt.NDArray[np.float32]]) -> None:
        """Build the environment.

        Args:
            game: What is played.
            read_weights: Returns the weights of a version, `[shape.actor.num_values]` float32; asked once per version.
        """
        self._play_episode = game.play_episode()
        self._policies = Policies(game, read_weights)

    def play(self, header: dict[str, Array], record: dict[str, Array]) -> bool:
        """Play the episode that a header asks for.

        Args:
            header: Views of `record.HEADER`; what the worker has to tell is written.
            record: Views of `GameSpec.record`, all written.

        Returns:
            Whether it was played. If not, the header says why.
        """
        with failure_told(header, _TOLD):
            self._play(header, record)
            return True
        return False

    def play_slot(self, ring: EpisodeRing, slot: int) -> None:
        """Play the episode that a slot's header asks for, and fill the slot; if that fails, the header says why.

        Args:
            ring: This process's own.
            slot: A leased one.
        """
        header = ring.header(slot)
        with failure_told(header, _TOLD):
            self._play(header, ring.record(slot))
            ring.fill(slot)

    def _play(self, header: dict[str, Array], record: dict[str, Array]) -> None:
        header["worker_pid"][...] = os.getpid()
        started_s = time.monotonic()
        header["started_s"][...] = started_s
        workflow_id = int(header["workflow_id"])
        self._play_episode(
            self._policies.actor(int(header["weight_version"])),
            self._policies.verdicts(workflow_id),
            workflow_id=workflow_id,
            environment_seed=int(header["environment_seed"]),
            actions_seed=int(header["actions_seed"]),
            record=record,
            greedy=bool(header["greedy"]),
        )
        finished_s = time.monotonic()
        header["finished_s"][...] = finished_s
        header["busy_s"][...] = finished_s - started_s
