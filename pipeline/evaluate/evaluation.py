"""An evaluation: scenarios cut into tasks, played in this process or by workers, and added up.

    scenarios -> tasks -> play (here, or in a pool of processes) -> episodes in order -> results

An episode depends on its scenario, its index and the evaluation's seed alone, and results are put together by index:
the number of processes changes nothing.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from pipeline.cage2.engine import game_batch
from pipeline.errors import PipelineError
from pipeline.evaluate.play import Episodes, Policy, Task, play
from pipeline.evaluate.results import ScenarioResult, summarize
from pipeline.workers.birth import become_worker, block_ctrl_c, ready, worker_context
from pipeline.workers.limits import require_open_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.evaluate.scenario import Scenario
    from pipeline.play.game import GameSpec

STEPS_PER_TASK = {"fast": 25_000, "cyborg": 2_500}
"""A tenth to half a second of work: it hides the way to a worker and back, and Ctrl-C needn't wait longer."""
TASKS_PER_WORKER = 4
"""That are asked for at a time: results are awaited in order, and one slow task must not leave others idle."""
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

    def tasks(self, scenario: Scenario) -> Iterator[Task]:
        """Yield a scenario's tasks, by ascending index."""
        game = replace(self.game, red_agent=scenario.red_agent, num_steps=scenario.num_steps)
        size = self._task_size(scenario)
        for first in range(0, self.num_episodes, size):
            num_episodes = min(size, self.num_episodes - first)
            yield Task(self.agent, game, self.seed, scenario.group, first, num_episodes)

    def num_tasks(self, scenario: Scenario) -> int:
        """Return how many tasks a scenario has."""
        return math.ceil(self.num_episodes / self._task_size(scenario))

    def _task_size(self, scenario: Scenario) -> int:
        return max(1, STEPS_PER_TASK[self.game.engine] // scenario.num_steps)


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
    num_tasks = [request.num_tasks(scenario) for scenario in request.scenarios]
    with _playing(request, min(num_workers, sum(num_tasks))) as played:
        results = []
        for scenario, num_parts in zip(request.scenarios, num_tasks, strict=True):
            parts = []
            for part in islice(played, num_parts):
                note_progress(len(part.return_tenths))
                parts.append(part)
            results.append(summarize(scenario, parts))
    return tuple(results)


@contextlib.contextmanager
def _playing(request: Request, num_workers: int) -> Iterator[Iterator[Episodes]]:
    """Have a request's tasks played; give what comes of them, in order."""
    tasks = chain.from_iterable(map(request.tasks, request.scenarios))
    _prepare(request, num_workers)
    if num_workers == 1:
        yield map(play, tasks)
        return
    require_open_files(num_workers)
    pool = ProcessPoolExecutor(num_workers, mp_context=worker_context(), initializer=become_worker)
    try:
        starting = threading.Thread(target=_start, args=(pool,), name="cage2-pool")
        starting.start()
        starting.join()
        yield _in_order(pool, tasks, TASKS_PER_WORKER * num_workers)
    except BrokenProcessPool:
        raise WorkerDiedError(num_workers) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, tasks: Iterator[Task], max_tasks: int) -> Iterator[Episodes]:
    """Yield what comes of tasks, in their order, with so many in the pool.

    Not by `pool.map`: it asks for all at once, and cancels what is left when the pool breaks, which stumbles over that.
    """
    asked = deque(pool.submit(play, task) for task in islice(tasks, max_tasks))
    while asked:
        played = asked.popleft().result()
        asked.extend(pool.submit(play, task) for task in islice(tasks, 1))
        yield played


def _prepare(request: Request, num_workers: int) -> None:
    """Compile and import what takes long, before anything waits for it; for several processes, what they share."""
    if num_workers == 1:
        request.game.prepare()
    if request.game.engine == "fast" and not isinstance(request.agent, Policy):
        game_batch.warm_up()  # workers find the machine code on disk; the forkserver prepares the rest


def _start(pool: ProcessPoolExecutor) -> None:
    """Start the pool's processes from a thread that Ctrl-C doesn't reach; the forkserver starts with its mask."""
    block_ctrl_c()
    with contextlib.suppress(BrokenProcessPool, EOFError, ConnectionError):  # the first task finds it broken
        pool.submit(ready).result()
