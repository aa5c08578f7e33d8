"""A heartbeat on an event loop: it asks to be woken every millisecond, and notes how much later that happens."""

from __future__ import annotations

import asyncio
import time

BEAT_S = 0.001


async def lags_s(seconds: float) -> list[float]:
    """Beat for so long; return the lag of each beat, seconds."""
    lags = []
    end_s = time.monotonic() + seconds
    while (asked_s := time.monotonic()) < end_s:
        await asyncio.sleep(BEAT_S)
        lags.append(time.monotonic() - asked_s - BEAT_S)
    return lags
