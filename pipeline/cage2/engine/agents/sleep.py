"""`SleepAgent`: Red that does nothing."""

from __future__ import annotations

from typing import Any

from pipeline.cage2.engine.red import NO_TARGET, SLEEP
from pipeline.numerics.compiled import compiled


@compiled
def choose(_: Any) -> tuple[int, int]:
    """Sleep, and draw nothing."""
    return SLEEP, NO_TARGET
