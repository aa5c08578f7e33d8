"""A service that answers while it trains: over HTTP it says how far the run is, and ends it when asked to.

python examples/service.py
"""

import asyncio
import json
from pathlib import Path

from pipeline import Config, Pipeline
from pipeline.types import UpdateResult


class Service:
    """Answers `GET /` with what the run has come to, and `GET /stop` by ending it after the update in progress."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.told: dict[str, float] = {"episodes": 0}

    async def follow(self) -> None:
        """Keep the latest update, to the end of the run."""
        async for event in self.pipeline.events():
            if isinstance(event, UpdateResult):
                self.told = {"episodes": event.total_episodes, "reward": round(event.env_reward.mean, 1)}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, of which the first line says all."""
        _, path, *_ = (await reader.readline()).decode().split()
        if path == "/stop":
            self.pipeline.stop()
        writer.write(f"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{json.dumps(self.told)}\n".encode())
        writer.close()


async def main(log_dir: Path = Path("logs"), total_episodes: int = 100_000, port: int = 8080) -> str:
    """Serve as long as the run goes on; return why it ended."""
    config = Config(
        red_agent="Mixed",
        workflow="enterprise -> op_server -> op_host -> user -> defender",
        total_episodes=total_episodes,
        log_dir=log_dir,
    )
    async with Pipeline(config) as pipeline:
        service = Service(pipeline)
        async with await asyncio.start_server(service.answer, "127.0.0.1", port) as server:
            print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            await service.follow()
            finished = await pipeline.run()
    print(f"{finished.reason}: {finished.episodes} episodes, {pipeline.run_dir}")
    return finished.reason


if __name__ == "__main__":
    asyncio.run(main())
