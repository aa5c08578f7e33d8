"""An evaluation: scenarios cut into tasks, played in this process or by workers, and added up.

    scenarios -> tasks -> play (here, or in a pool of processes) -> episodes in order -> results

An episode depends on its scenario, its index and the evaluation's seed alone, and results are put together by index:
the number of processes changes nothing.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.cage2.engine import game_batch
from pipeline.collect.processes import become_worker, block_ctrl_c, ready, require_open_files, worker_context
from pipeline.errors import PipelineError
from pipeline.evaluate.play import Episodes, Policy, Task, play
from pipeline.evaluate.results import ScenarioResult, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.collect.game import GameSpec
    from pipeline.evaluate.scenario import Scenario

STEPS_PER_TASK = {"fast": 25_000, "cyborg": 2_500}
"""A tenth to half a second of work: it hides the way to a worker and back, and Ctrl-C needn't wait longer."""
STEPS_WORTH_WORKERS = {"fast": 5_000_000, "cyborg": 5_000}
"""Below, one process is done before others would have started."""


class WorkerDiedError(PipelineError):
    """A worker was killed, or crashed."""

    def __init__(self, num_workers: int) -> None:
        super().__init__(
            f"one of {num_workers} workers died while it played. Is memory short? Try again with fewer --workers"
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be played, complete: results are a function of it."""

    agent: Policy | str
    """A policy, or the name of a baseline (`baselines.BASELINES`)."""
    game: GameSpec
    """Red agent and number of steps are the scenarios'."""
    scenarios: tuple[Scenario, ...]
    num_episodes: int
    """Of each scenario."""
    seed: int
    """`>= 0`. The same seed gives every agent the same games."""

    @property
    def num_steps(self) -> int:
        """Of all episodes together."""
        return self.num_episodes * sum(scenario.num_steps for scenario in self.scenarios)

    def tasks(self) -> list[list[Task]]:
        """Return each scenario's tasks, by ascending index."""
        return [list(self._tasks(scenario)) for scenario in self.scenarios]

    def _tasks(self, scenario: Scenario) -> Iterator[Task]:
        game = replace(self.game, red_agent=scenario.red_agent, num_steps=scenario.num_steps)
        size = max(1, STEPS_PER_TASK[game.engine] // scenario.num_steps)
        for first in range(0, self.num_episodes, size):
            num_episodes = min(size, self.num_episodes - first)
            yield Task(self.agent, game, self.seed, scenario.group, first, num_episodes)


def useful_workers(request: Request, num_cores: int) -> int:
    """Return how many processes to play a request with, where nobody says."""
    return num_cores if request.num_steps > STEPS_WORTH_WORKERS[request.game.engine] else 1


def evaluate(
    request: Request, num_workers: int, note_progress: Callable[[int], None] = lambda _: None
) -> tuple[ScenarioResult, ...]:
    """Play a request.

    Args:
        request: What.
        num_workers: Processes, this one if it is one.
        note_progress: Called now and then with the number of episodes that were played since it was called last.

    Returns:
        A result for each scenario, in order.

    Raises:
        PipelineError: An episode failed, or a worker died.
    """
    tasks = request.tasks()
    num_workers = min(num_workers, sum(map(len, tasks)))
    with _playing([task for part in tasks for task in part], num_workers) as played:
        results = []
        for scenario, part in zip(request.scenarios, tasks, strict=True):
            episodes = []
            for done in islice(played, len(part)):
                note_progress(len(done.return_tenths))
                episodes.append(done)
            results.append(summarize(scenario, episodes))
    return tuple(results)


@contextlib.contextmanager
def _playing(tasks: Sequence[Task], num_workers: int) -> Iterator[Iterator[Episodes]]:
    """Have tasks played; give what comes of them, in order."""
    _prepare(tasks[0], num_workers)
    if num_workers == 1:
        yield map(play, tasks)
        return
    require_open_files(num_workers)
    pool = ProcessPoolExecutor(num_workers, mp_context=worker_context(), initializer=become_worker)
    try:
        starting = threading.Thread(target=_start, args=(pool,), name="cage2-pool")
        starting.start()
        starting.join()
        # not by `map`, which cancels what is left when the pool breaks: the pool stumbles over that
        futures = [pool.submit(play, task) for task in tasks]
        yield (future.result() for future in futures)
    except BrokenProcessPool:
        raise WorkerDiedError(num_workers) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(task: Task, num_workers: int) -> None:
    """Compile and import what takes long, before anything waits for it; for several processes, what they share."""
    if num_workers == 1:
        task.game.prepare()
    if task.game.engine == "fast" and not isinstance(task.agent, Policy):
        game_batch.warm_up()  # workers find the machine code on disk; the forkserver prepares the rest


def _start(pool: ProcessPoolExecutor) -> None:
    """Start the pool's processes from a thread that Ctrl-C doesn't reach; the forkserver starts with its mask."""
    block_ctrl_c()
    with contextlib.suppress(BrokenProcessPool, EOFError, ConnectionError):  # the first task finds it broken
        pool.submit(ready).result()
