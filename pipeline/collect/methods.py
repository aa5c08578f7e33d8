"""The methods by name: which collector a configuration asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.blue.interface import Interface
from pipeline.collect.executor import ExecutorCollector
from pipeline.collect.sequential import SequentialCollector
from pipeline.collect.synchronous import SynchronousCollector
from pipeline.collect.transport import Pickled, SharedMemory, Transport
from pipeline.play.game import GameSpec
from pipeline.workers.shared import WorkerSpec

if TYPE_CHECKING:
    from native_buffers.ring import EpisodeRing
    from native_buffers.weights import WeightBoard
    from pipeline.collect.collector import Collector
    from pipeline.config import Config


def game_spec(config: Config) -> GameSpec:
    """Return the game that a configuration asks for."""
    return GameSpec(
        red_agent=config.red_agent,
        engine=config.engine,
        profile=config.profile,
        cyborg=config.cyborg,
        compromised=config.compromised,
        num_steps=config.episode_steps,
        interface=Interface.of(config),
        hidden_sizes=config.hidden_sizes,
        red_sha256=config.red_sha256,
    )


def make_collector(
    config: Config, game: GameSpec, ring: EpisodeRing, board: WeightBoard, faults_path: str | None = None
) -> Collector:
    """Make the collector that a configuration asks for. Nothing is started yet.

    Args:
        config: Names the method, and how many workers there are.
        game: What they play.
        ring: This process's own; with `config.num_slots` slots.
        board: This process's own; with `config.num_slabs` slabs.
        faults_path: Where workers of this machine write their stacks when they crash or hang.

    Raises:
        NotInstalledError: Ray was asked for and can't be had.
    """
    if config.collector == "sequential":
        return SequentialCollector(game, ring, board)
    if config.collector == "ray":
        from pipeline.collect.ray.collector import RayCollector  # an extra, and slow to import

        return RayCollector(game, ring, board, config.workers, config.ray_address, debug=config.debug)
    spec = WorkerSpec(game, ring.name, board.name, config.num_slots, config.num_slabs, config.debug, faults_path)
    if config.collector == "synchronous":
        return SynchronousCollector(spec, ring, board, config.workers)
    transport: Transport = SharedMemory(spec, ring)
    if config.transport == "pickle":
        transport = Pickled(game, ring, board, debug=config.debug, faults_path=faults_path)
    return ExecutorCollector(transport, config.workers)
