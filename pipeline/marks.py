"""What a value of the configuration is beside its type: markers in its annotation, which help is made from."""

from __future__ import annotations

from enum import Enum


class Topic(Enum):
    """What a value is about: a marker in its annotation, under which its option stands in `--help`.

    A value without one has no option: runs note it themselves.
    """

    ATTACKED = "what is attacked"
    LEARNED = "what is learned"
    SEARCHED = "how it is searched"
    WHERE = "where it runs"
    KEPT = "what is kept"


class Effect(Enum):
    """What a value changes that changes no result: a marker in the value's annotation, put into its help."""

    SPEED = "speed only"
    """How fast a run is; it may change when the run is resumed."""
    RECORD = "no effect on results"
    """Where and how a run is written down."""
