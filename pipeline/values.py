"""What a configuration's values mean for a run: which decide its results, and which may change when it is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.config import Config
from pipeline.marks import Effect, Topic

if TYPE_CHECKING:
    from collections.abc import Mapping


def effect_of(name: str) -> Effect | None:
    """Return what a value changes that changes no result; None if results depend on it."""
    return next((mark for mark in Config.model_fields[name].metadata if isinstance(mark, Effect)), None)


def topic_of(name: str) -> Topic | None:
    """Return what a value is about; None if it is not for people to give."""
    return next((mark for mark in Config.model_fields[name].metadata if isinstance(mark, Topic)), None)


SPEED_FIELDS = tuple(name for name in Config.model_fields if effect_of(name) is Effect.SPEED)
"""What may change when a run is resumed."""


def change_speed(config: Config, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's values with changed `SPEED_FIELDS`.

    Another collector comes with its own defaults: the transport or address of the one before is dropped.
    """
    others = {"transport": "shm", "ray_address": "local"} if "collector" in changes else {}
    return {**config.model_dump(), **others, **changes}


def what_results_depend_on(config: Config) -> dict[str, Any]:
    """Return the part of a configuration that decides what a run learns, as what JSON can hold."""
    return config.model_dump(mode="json", include={name for name in Config.model_fields if effect_of(name) is None})
