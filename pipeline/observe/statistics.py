"""A run in numbers, as it is at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from native_buffers.ring import RingStatistics
    from pipeline.collect.collection import CollectionStatistics
    from pipeline.workflows.status import Belief


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """A run as it is now."""

    total_episodes: int
    """Episodes learned from, those before a resume included."""
    total_updates: int
    finals_episodes: int
    """Of `total_episodes`, in finals."""
    promising: tuple[Belief, ...]
    """The orders that the search believes to be worth most, the best first; none while it knows too few."""
    num_evaluated: int
    """Episodes of evaluations, in this process."""
    workers_alive: int
    num_rebuilds: int
    """Times that the pool of workers had to be replaced."""
    ring: RingStatistics
    collection: CollectionStatistics
    dropped_events: int
    """Events that slow listeners missed."""
    first_episode_s: float | None
    """From entering the pipeline to its first episode."""
    wall_s: float
    """Since the pipeline was entered."""
    seconds: Mapping[str, float]
    """Wall time by what was waited for: `collection`, `learner`, `search`, `evaluation`, and `idle` for the rest. Of
    several visits at a time, their mean."""
