"""The embedding application cancels us, in whatever state we are: nothing is left, and the run can be gone on with.

```
 make, attach -> | start workers | -> collect <-> learn -> checkpoint -> search -> ... -> | leave |
     ^ entering       ^ starting       ^            ^           ^            ^                ^ leaving
```
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pipeline import Config, Pipeline
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.ppo import update as ppo
from pipeline.types import (
    CheckpointWritten,
    FirstEpisode,
    RunStarted,
    UpdateResult,
    WorkersStarted,
    WorkflowFinished,
    WorkflowStarted,
)
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import DigestOf

RUN: dict[str, Any] = {
    "total_episodes": 48,
    "max_episodes_per_workflow": 32,
    "episodes_per_update": 16,
    "evaluation_episodes": 4,
    "workers": 2,
}
TIMEOUT_S = 60

PREFIXES = tuple(f"cage2-{name}" for name in ("learner", "critic", "search", "disk", "pool", "step"))
"""Of a pipeline's own threads; the one for Ray stays for as long as the process."""


async def run(pipeline: Pipeline) -> str:
    async with pipeline:
        return (await pipeline.run()).digest


@pytest.fixture(scope="module")
def reference(digest_of: DigestOf) -> str:
    return digest_of(**RUN)


async def assert_nothing_left() -> None:
    """No task, no thread, no worker; conftest looks for segments."""
    assert asyncio.all_tasks() == {asyncio.current_task()}
    async with asyncio.timeout(TIMEOUT_S):
        # an executor's thread ends a moment after it is told to
        while worker_pids() or thread_names():  # noqa: ASYNC110  # nobody sets an event
            await asyncio.sleep(0.005)


def thread_names() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(PREFIXES)]


def worker_pids() -> list[int]:
    """The workers of this process: what its forkserver has forked."""
    children = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    servers = [p for p in children if "forkserver" in " ".join(p.cmdline())]
    with contextlib.suppress(psutil.NoSuchProcess):
        return [each.pid for server in servers for each in server.children() if each.status() != psutil.STATUS_ZOMBIE]
    return []


async def assert_goes_on_to(reference: str, log_dir: Path) -> None:
    """Resume, where there is something to; a run that was not begun leaves no folder that would be in the way."""
    folder = log_dir / "run"
    pipeline = Pipeline.resume(folder) if folder.exists() else Pipeline(config(log_dir))
    assert await run(pipeline) == reference
    await assert_nothing_left()


def config(log_dir: Path, **changes: Any) -> Config:
    return Config(**{**RUN, "checkpoint_interval_s": 0, **changes}, log_dir=log_dir, run_name="run")


async def embed(pipeline: Pipeline) -> None:
    async with pipeline:
        async for _ in pipeline.events():
            pass


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task that has to be, and wait for it."""
    task.cancel()
    await asyncio.wait({task}, timeout=TIMEOUT_S)
    assert task.cancelled(), task


@pytest.mark.parametrize("method", [{}, {"collector": "synchronous"}, {"collector": "sequential"}], ids=str)
async def test_after_any_number_of_steps(method: dict[str, Any], reference: str, tmp_path: Path) -> None:
    """From before it is entered on, a few steps of the loop later each time."""
    for num_steps in (0, 1, 2, 3, 5, 8, 13, 40):
        task = asyncio.create_task(embed(Pipeline(config(tmp_path / str(num_steps), **method))))
        for _ in range(num_steps):
            await asyncio.sleep(0)
        await cancelled(task)
        await assert_nothing_left()
    await assert_goes_on_to(reference, tmp_path / "40")


@pytest.mark.parametrize(
    "when",
    [
        RunStarted,
        WorkersStarted,
        WorkflowStarted,
        FirstEpisode,
        UpdateResult,
        CheckpointWritten,
        WorkflowFinished,
    ],
)
async def test_at_an_event(when: type, reference: str, tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def embed_until() -> None:
        async with Pipeline(config(tmp_path)) as pipeline:
            async for event in pipeline.events():
                if isinstance(event, when):
                    reached.set()

    task = asyncio.create_task(embed_until())
    waiting = asyncio.create_task(reached.wait())
    await asyncio.wait({task, waiting}, timeout=TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
    assert waiting.done()
    await cancelled(task)
    await assert_nothing_left()
    await assert_goes_on_to(reference, tmp_path)


BLOCKING: dict[str, tuple[object, str]] = {
    "learning": (ppo, "update"),
    "searching": (Search, "next"),
    "writing a checkpoint": (CheckpointFolder, "write"),
}
"""What goes on off the loop: a thread can't be cancelled."""


@pytest.mark.parametrize("doing", BLOCKING)
@pytest.mark.parametrize("num_cancels", [1, 3])
async def test_while_a_thread_is_busy(
    doing: str, num_cancels: int, reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name = BLOCKING[doing]
    entered, gate = threading.Event(), threading.Event()
    call = getattr(owner, name)

    def call_behind_the_gate(*args: Any, **kwargs: Any) -> Any:
        entered.set()
        assert gate.wait(TIMEOUT_S)
        return call(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, call_behind_the_gate)
        task = asyncio.create_task(embed(Pipeline(config(tmp_path))))
        async with asyncio.timeout(TIMEOUT_S):
            while not entered.is_set():  # noqa: ASYNC110  # a thread's
                await asyncio.sleep(0.001)
            for _ in range(num_cancels):
                task.cancel()
                for _ in range(5):
                    await asyncio.sleep(0)
            gate.set()
            await asyncio.wait({task})
    assert task.cancelled()
    await assert_nothing_left()
    await assert_goes_on_to(reference, tmp_path)


@pytest.mark.parametrize("method", [{}, {"transport": "pickle"}, {"collector": "synchronous"}], ids=str)
async def test_by_a_timeout(method: dict[str, Any], reference: str, tmp_path: Path) -> None:
    """At any moment, as it comes; then gone on from, with a timeout that is longer, until it is through."""
    pipeline, timeout_s, num_timeouts = Pipeline(config(tmp_path, **method)), 0.02, 0
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                async with asyncio.timeout(timeout_s):
                    digest = await run(pipeline)
                break
            except TimeoutError:
                num_timeouts += 1
            await assert_nothing_left()
            timeout_s *= 1.6
            folder = tmp_path / "run"
            pipeline = Pipeline.resume(folder) if folder.exists() else Pipeline(config(tmp_path, **method))
    assert digest == reference
    assert num_timeouts >= 3
    await assert_nothing_left()


async def test_while_leaving(reference: str, tmp_path: Path) -> None:
    """By the application that loses patience, again and again."""
    entered = asyncio.Event()

    async def embed_and_leave() -> None:
        async with Pipeline(config(tmp_path)) as pipeline:
            async for event in pipeline.events():
                if isinstance(event, UpdateResult):
                    entered.set()
                    return

    task = asyncio.create_task(embed_and_leave())
    await asyncio.wait_for(entered.wait(), TIMEOUT_S)
    async with asyncio.timeout(TIMEOUT_S):
        while not task.done():
            task.cancel()
            await asyncio.sleep(0.001)
    assert task.cancelled()
    await assert_nothing_left()
    await assert_goes_on_to(reference, tmp_path)


async def test_one_of_two_leaves_the_other_alone(reference: str, tmp_path: Path) -> None:
    async def other() -> str:
        return await run(Pipeline(config(tmp_path / "other")))

    going_on = asyncio.create_task(other())
    task = asyncio.create_task(embed(Pipeline(config(tmp_path))))
    log = tmp_path / "run" / "training_log.csv"
    async with asyncio.timeout(TIMEOUT_S):
        while not log.exists():  # noqa: ASYNC110  # nobody sets an event
            await asyncio.sleep(0.001)
    await cancelled(task)
    assert await going_on == reference
    await assert_nothing_left()
    await assert_goes_on_to(reference, tmp_path)
