"""An evaluation on worker processes, which may die or hang: what they played is played again, to the same results.

```
 request -(tasks, in order)-> player of slot 0 -> pool.call(play, slot, task) -> worker 0 -> episodes -> by their number
                              player of slot 1 -> ...            |                  |
                              ...                                +-- header <-------+  who plays which episode
```
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from native_buffers.segment import sweep_stale
from pipeline.collect.collection import MAX_FRUITLESS_REBUILDS, WorkersKeepDyingError
from pipeline.collect.deadline import FIRST_S, Deadline, Flight
from pipeline.collect.scheduler import MAX_ATTEMPTS
from pipeline.collect.watch import Watch
from pipeline.defenders.reference import AgentReference
from pipeline.errors import PipelineError
from pipeline.evaluate.evaluation import prepare
from pipeline.evaluate.failure import MAKING, DefenderFailedError, where
from pipeline.evaluate.headers import Headers
from pipeline.evaluate.in_order import InOrder
from pipeline.evaluate.results import summarize
from pipeline.evaluate.stacks import stack_in
from pipeline.evaluate.task import Policy
from pipeline.evaluate.worker import initialize, make_in_slot, play_in_slot
from pipeline.workers.birth import START_TIMEOUT_S, WorkersDidNotStartError
from pipeline.workers.death import WorkersDiedError
from pipeline.workers.limits import require_open_files
from pipeline.workers.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from native_buffers.layout import Array
    from pipeline.evaluate.evaluation import Request
    from pipeline.evaluate.results import ScenarioResult
    from pipeline.evaluate.task import Episodes, Task
    from pipeline.play.game import GameSpec

Answer = TypeVar("Answer")
NOTE_INTERVAL_S = 1.0
"""Between two looks at how far tasks have come."""


class EpisodeTakesWorkersDownError(PipelineError):
    """A worker died, or had to be killed, each time that it played an episode."""

    def __init__(self, game: GameSpec, header: dict[str, Array], reason: str) -> None:
        super().__init__(
            f"an episode of {game.num_steps} steps against {game.red_agent} failed {MAX_ATTEMPTS} times: "
            f"{reason} (environment seed {header['environment_seed']}, actions seed {header['actions_seed']}). "
            "To look into it, play in this process: --workers 1"
        )


async def evaluate_in_pool(
    request: Request,
    num_workers: int,
    note_progress: Callable[[int], None] = lambda _: None,
    note_form: Callable[[str], None] = lambda _: None,
    write_traces: Callable[[str], None] = lambda _: None,
) -> tuple[ScenarioResult, ...]:
    """Play a request on worker processes. Cancelling it ends them at once.

    Args:
        request: What.
        num_workers: Processes.
        note_progress: Called now and then with the number of episodes that were played since it was called last.
        note_form: Called with the form of an agent that others wrote, when it has been made for the first time.
        write_traces: See `evaluation.evaluate`.

    Returns:
        A result for each scenario, in order: what `evaluation.evaluate` returns.

    Raises:
        EpisodeFailedError: An episode raised.
        EpisodeTakesWorkersDownError: An episode's worker died, or hung, again and again.
        DefenderFailedError: An agent that others wrote raised, returned no action, hung, or ended its process.
        NoSuchAgentError, UnusableAgentError, AgentRaisedError: It could not be made.
        WorkersKeepDyingError: No worker lived long enough to play a task.
        WorkersDidNotStartError: None was ready in time.
        ForkserverDiedError: What starts workers died.
        TooFewOpenFilesError: The system allows fewer open files than the workers need.
        SharedMemoryFull: There is no room for the headers.
    """
    require_open_files(num_workers)
    sweep_stale()
    num_slots = 2 * num_workers  # one task being played and one waiting, per worker
    with tempfile.TemporaryDirectory(prefix="cage2-") as folder, Headers.create(num_slots) as headers:
        faults = Path(folder) / "faults.log"
        pool = Pool(num_workers, initialize, headers.name, num_slots, str(faults))
        try:
            await _start(pool)
            told = note_progress, note_form, InOrder(write_traces)
            return await _Evaluation(request, pool, headers, num_slots, faults, *told).run()
        finally:
            await pool.close()


async def _start(pool: Pool) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await pool.start()
    except TimeoutError:
        raise WorkersDidNotStartError from None


class _Evaluation:
    """Has a request's tasks played, one after the other in each slot."""

    def __init__(
        self,
        request: Request,
        pool: Pool,
        headers: Headers,
        num_slots: int,
        faults: Path,
        note_progress: Callable[[int], None],
        note_form: Callable[[str], None],
        traces: InOrder,
    ) -> None:
        self._request = request
        self._other = request.agent if isinstance(request.agent, AgentReference) else None
        """The agent, if others wrote it."""
        self._pool = pool
        self._headers = headers
        self._num_slots = num_slots
        self._num_noted = 0
        """Episodes whose progress was noted."""
        self._num_done = 0
        """Episodes of tasks that are done."""
        self._faults = faults
        self._note_progress = note_progress
        self._note_form = note_form
        self._traces = traces
        self._tasks = self._all_tasks()
        self._parts: list[dict[int, Episodes]] = [{} for _ in request.scenarios]
        """What came of a scenario's tasks, by their numbers, until all are there."""
        self._results: dict[int, ScenarioResult] = {}
        self._playing: dict[int, GameSpec] = {}
        self._in_flight: Watch[int] = Watch(self._flight, self._kill)
        """Slots whose task is in flight."""
        self._deadline = Deadline()
        self._fruitless: set[int] = set()

    async def run(self) -> tuple[ScenarioResult, ...]:
        """Play all tasks, and return what they come to."""
        try:
            async with asyncio.TaskGroup() as group:
                watching = [group.create_task(each) for each in (self._in_flight.run(), self._note_now_and_then())]
                await self._compile()
                if self._other:
                    await self._make(self._other)
                await asyncio.wait([group.create_task(self._play_on(slot)) for slot in range(self._num_slots)])
                for each in watching:
                    each.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return tuple(self._results[index] for index in range(len(self._request.scenarios)))

    def _all_tasks(self) -> Iterator[tuple[int, int, int, Task]]:
        """Yield all tasks in order, each with its place, its scenario's index and its number there."""
        place = count()
        for index, scenario in enumerate(self._request.scenarios):
            for number, task in enumerate(self._request.tasks(scenario)):
                yield next(place), index, number, task

    async def _compile(self) -> None:
        """Have one worker compile what the forkserver has not: the others would wait for it, and be taken for hung."""
        request = self._request
        if not request.is_traced and (request.game.engine != "fast" or isinstance(request.agent, Policy)):
            return None
        while True:
            try:
                return await self._pool.call(prepare, request)
            except WorkersDiedError as death:
                self._note_death(death)

    async def _make(self, agent: AgentReference) -> None:
        """Have one worker make an agent that others wrote: whatever is wrong with it is told before it plays."""
        game = self._request.game
        self._note_form(await self._called(0, make_in_slot, game, agent, game, self._request.seed))

    async def _play_on(self, slot: int) -> None:
        """Play in a slot what nobody has begun, until there is nothing left."""
        for place, index, number, task in self._tasks:
            episodes = await self._play(slot, task)
            self._fruitless.clear()
            self._traces.put(place, episodes.traces)
            self._num_done += task.num_episodes
            self._note()
            self._keep(index, number, replace(episodes, traces=""))

    async def _note_now_and_then(self) -> None:
        """Note progress within tasks, too, until cancelled: a slow agent may take an hour for one."""
        while True:
            await asyncio.sleep(NOTE_INTERVAL_S)
            self._note()

    def _note(self) -> None:
        """Note the episodes that were played since progress was noted last; none twice, if some are played again."""
        in_flight = sum(int(self._headers[slot]["num_played"]) for slot in self._in_flight)
        if (num_played := self._num_done + in_flight) > self._num_noted:
            self._note_progress(num_played - self._num_noted)
            self._num_noted = num_played

    async def _play(self, slot: int, task: Task) -> Episodes:
        """Play a task, and again when workers died."""
        episodes = await self._called(slot, play_in_slot, task.game, task)
        header = self._headers[slot]
        # of its last episode, and by the step, for scenarios differ in length
        self._deadline.note((header["finished_s"] - header["started_s"]).item() / task.game.num_steps)
        return episodes

    async def _called(self, slot: int, function: Callable[..., Answer], game: GameSpec, *arguments: Any) -> Answer:
        """Have a worker call a function for a slot, and again when workers died.

        A header tells for certain what its worker played when it died: no task is blamed for another one's.

        Args:
            slot: Its first argument.
            function: What.
            game: That is played in it.
            arguments: Its others.
        """
        header = self._headers[slot]
        self._playing[slot] = game
        num_blamed = 0
        while True:
            header["worker_pid"][...], header["step"][...] = 0, MAKING
            header["num_played"][...] = 0
            header["started_s"][...] = header["finished_s"][...] = header["stepped_s"][...] = 0.0
            self._in_flight.submit(slot)
            death: WorkersDiedError | None = None
            try:
                answer = await self._pool.call(function, slot, *arguments)
            except WorkersDiedError as error:
                death = error
            hung = self._in_flight.land(slot)
            if death is None:
                return answer
            self._note_death(death)
            is_blamed = int(header["worker_pid"]) in death.casualties
            num_blamed += is_blamed
            if self._other and is_blamed and (hung or num_blamed == MAX_ATTEMPTS):
                raise self._failure(self._other, game, header, hung)
            if num_blamed == MAX_ATTEMPTS:
                raise EpisodeTakesWorkersDownError(game, header, hung or "its worker process died")

    def _failure(
        self, agent: AgentReference, game: GameSpec, header: dict[str, Array], hung: str | None
    ) -> DefenderFailedError:
        """Return what is told of an agent that hung, or whose process ended again and again."""
        stack = stack_in(self._faults)
        told = f"its process ended, {MAX_ATTEMPTS} times: it exits, crashes, or is killed for memory"
        if hung:
            told = f"{hung}; --step-timeout is how long it may take for a step"
        place = where(game, int(header["step"]), int(header["environment_seed"]))
        return DefenderFailedError(agent.name, place, told + (f". Innermost call first:\n{stack}" if stack else ""))

    def _note_death(self, death: WorkersDiedError) -> None:
        self._fruitless.add(death.generation)
        if len(self._fruitless) >= MAX_FRUITLESS_REBUILDS:
            raise WorkersKeepDyingError

    def _keep(self, index: int, number: int, episodes: Episodes) -> None:
        parts, scenario = self._parts[index], self._request.scenarios[index]
        parts[number] = episodes
        if len(parts) == self._request.num_tasks(scenario):
            in_order = [parts[each] for each in sorted(parts)]
            self._results[index] = summarize(scenario, self._request.action_names, in_order)
            parts.clear()

    def _flight(self, slot: int, submitted_s: float) -> Flight:
        header = self._headers[slot]
        is_waiting = not header["worker_pid"]
        limit_s = self._deadline.limit_s(self._playing[slot].num_steps)
        if self._other:  # whose steps are told one by one, and who may take long to be made
            limit_s = self._other.step_timeout_s
            if is_waiting or header["step"] == MAKING:
                limit_s = max(limit_s, FIRST_S)
        return Flight(
            submitted_s=submitted_s,
            heard_s=max(header["started_s"], header["finished_s"], header["stepped_s"]).item(),
            is_waiting=is_waiting,
            limit_s=limit_s,
        )

    async def _kill(self, slot: int) -> bool:
        """Kill the worker that plays in a slot, or all if none has begun to."""
        return await self._pool.kill(int(self._headers[slot]["worker_pid"]) or None)
