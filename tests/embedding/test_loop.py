"""While a run trains, nothing of it blocks the event loop that it shares with the program around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from blockbuster import BlockBuster, BlockingError

from pipeline import Config, Pipeline
from pipeline.types import RunFinished, UpdateResult

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def alarm() -> BlockBuster:
    """Raises where the project's own code makes a blocking call on a running loop."""
    return BlockBuster(scanned_modules=["pipeline", "native_buffers"])


@pytest.mark.parametrize("method", [{}, {"transport": "pickle"}, {"collector": "synchronous"}], ids=str)
async def test_training_makes_no_blocking_call(method: dict[str, Any], alarm: BlockBuster, tmp_path: Path) -> None:
    config = Config(
        **method,
        workers=2,
        total_episodes=96,
        episodes_per_update=8,
        max_episodes_per_workflow=32,
        checkpoint_interval_s=0,
        compliance_threshold=0.2,
        finals_share=0,
        evaluation_episodes=4,
        log_dir=tmp_path,
    )
    async with Pipeline(config) as pipeline:  # entering and leaving make and remove files and shared memory
        num_updates = 0
        try:
            async for event in pipeline.events():
                if isinstance(event, UpdateResult):
                    if num_updates == 0:
                        alarm.activate()
                    num_updates += 1
                if isinstance(event, RunFinished):
                    break
        finally:
            alarm.deactivate()
        await pipeline.run()
    assert num_updates == 12


async def test_the_alarm_works(alarm: BlockBuster, tmp_path: Path) -> None:
    from pipeline.persist.files import write_bytes

    alarm.activate()
    try:
        with pytest.raises(BlockingError):
            write_bytes(tmp_path / "file", b"")
    finally:
        alarm.deactivate()
