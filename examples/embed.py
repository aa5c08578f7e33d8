"""Train inside an asyncio program that has other things to do: here, a heartbeat that never misses a beat.

python examples/embed.py
"""

import asyncio
import contextlib
import time
from pathlib import Path

from pipeline import Config, Pipeline
from pipeline.types import UpdateResult, WorkflowFinished

BEAT_S = 0.1


async def heartbeat(late_s: list[float]) -> None:
    """Beat ten times a second, and note by how much each beat was late."""
    while True:
        due_s = time.monotonic() + BEAT_S
        await asyncio.sleep(BEAT_S)
        late_s.append(time.monotonic() - due_s)


async def main(log_dir: Path = Path("logs"), total_episodes: int = 192) -> str:
    """Train for a while; return the digest of what was learned."""
    config = Config(
        total_episodes=total_episodes, episodes_per_update=32, max_episodes_per_workflow=96, log_dir=log_dir
    )
    late_s: list[float] = []
    beating = asyncio.create_task(heartbeat(late_s))
    async with Pipeline(config) as pipeline:
        async for event in pipeline.events():
            match event:
                case UpdateResult():
                    print(
                        f"{event.total_episodes:>6} episodes  env reward {event.env_reward.mean:8.1f}  "
                        f"compliance {event.compliance:.2f}"
                    )
                case WorkflowFinished():
                    print(f"        {event.workflow_order}: {event.result.reason}")
        finished = await pipeline.run()
    beating.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await beating
    print(f"{len(late_s)} heartbeats meanwhile, the latest {max(late_s) * 1000:.0f} ms late")
    return finished.digest


if __name__ == "__main__":
    asyncio.run(main())
