"""The example that answers while it trains, asked over HTTP until it is told to end."""

from __future__ import annotations

import asyncio
import json
import runpy
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "service.py"


async def test_it_tells_how_far_it_is_and_ends_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], unused_tcp_port: int
) -> None:
    def ask(path: str) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{unused_tcp_port}{path}") as answer:
            told: dict[str, float] = json.load(answer)
            return told

    running = asyncio.create_task(runpy.run_path(str(EXAMPLE))["main"](tmp_path, 100_000, unused_tcp_port))
    while "http://" not in capsys.readouterr().out:  # noqa: ASYNC110  # which is printed, and no event
        await asyncio.sleep(0.05)
    while (told := await asyncio.to_thread(ask, "/")) == {"episodes": 0}:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert told.keys() == {"episodes", "reward"}
    assert (await asyncio.to_thread(ask, "/stop"))["episodes"] >= told["episodes"]
    assert await running == "stopped"
    assert "stopped: " in capsys.readouterr().out
