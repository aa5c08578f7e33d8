"""Environments that step together, each in a process of its own, under one policy in the parent: to compare with.

```
 parent, thread cage2-step             shared memory                  environment process, one of N
 lease slot, write header  ----------> header
 say(slot)       ===== slot ========== pipe ========================> reset
 barrier: hear() from all <=========== pipe ========= ACTING ======== observation[t] is written
 sample, row by row  <---------------- observation[t]
              -----------------------> action[t], log_prob[t]
 say(GO)         ===== GO ============ pipe ========================> judge, step
                                       reward[t], fix[t]  <---------- and ACTING again, with observation[t + 1]
 FILLED, or failed <================== pipe ========= IDLE ========== or IDLE, after the last step
```

The slot is the shared memory: what is seen and what is done is written where the learner reads it, and a message is a
byte. No environment gets its action for a step before all have finished the one before, so each step takes as long as
the slowest environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from pipeline import seeding
from pipeline.cage2.engine import game_batch
from pipeline.numerics.subnormals import flush_subnormals
from pipeline.play import episode
from pipeline.play.player import Policies
from pipeline.play.record import write_failures
from pipeline.workers.birth import block_ctrl_c
from pipeline.workers.death import WorkersDiedError, dump_and_kill
from pipeline.workers.forkserver import FORKSERVER, MAX_FORKSERVERS, ForkserverDiedError, WorkerContext, WorkerProcess
from pipeline.workers.stepped import ACTING, GO, serve

if TYPE_CHECKING:
    from native_buffers.ring import EpisodeRing
    from native_buffers.weights import WeightBoard
    from pipeline.workers.shared import WorkerSpec


class SynchronousCollector:
    """Plays one episode in each environment at a time, all at the same step; a task is one such round."""

    max_tasks = 1

    def __init__(self, spec: WorkerSpec, ring: EpisodeRing, board: WeightBoard, num_workers: int) -> None:
        """Args: spec: what each process is told. ring, board: this process's own. num_workers: environments."""
        self._spec = spec
        self._ring = ring
        self._policies = Policies(spec.game, board.read)
        self._num_workers = num_workers
        self._environments: list[EnvironmentProcess] = []
        self._playing: tuple[int, ...] = ()
        self._generation = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cage2-step", initializer=flush_subnormals)
        self._is_closing = False
        self._end: Future[None] | None = None

    @property
    def num_alive(self) -> int:
        """Environment processes that run now."""
        return sum(environment.is_alive() for environment in self._environments)

    @property
    def num_rebuilds(self) -> int:
        """Times that processes died and were replaced, those of one task counted once."""
        return self._generation

    async def start(self) -> None:
        """Start all environment processes, and wait until each has built its environment.

        One that dies at it is not told here: the first task finds it dead, and replaces it.

        Raises:
            ForkserverDiedError: If the forkserver itself died at it.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._start)

    async def play(self, slots: tuple[int, ...]) -> None:
        """Play leased slots of one plan, each in an environment of its own.

        Args:
            slots: At most as many as there are environments.

        Raises:
            WorkersDiedError: If processes died. The others have played to their end, and new ones are ready by then.
            ForkserverDiedError: If these could not be started.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._play, slots)

    async def kill(self, slots: tuple[int, ...]) -> bool:
        """Kill the environments that the others wait for; see `Collector.kill`."""
        suspects = [environment.handle for environment in self._environments if environment.is_awaited()]
        if slots != self._playing or not suspects:
            return False
        await dump_and_kill(suspects)
        return True

    async def close(self) -> None:
        """End all processes at once, and wait until they are gone. Slots that were being written stay as they are."""
        if self._end is None:
            self._is_closing = True
            for environment in self._environments:
                environment.kill()  # so that nobody waits for them at a barrier
            self._end = self._thread.submit(self._end_all)
            self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(self._end))

    def _start(self) -> None:
        block_ctrl_c()
        if self._spec.game.engine == "fast":
            game_batch.warm_up()  # or one of the processes would, and the others wait
        episode.warm_up()  # the same of what Blue remembers; the policy is evaluated in this process
        self._bring_up()

    def _bring_up(self) -> None:
        """Start the processes that are missing, side by side, then wait for each."""
        fresh: list[EnvironmentProcess] = []
        while len(self._environments) < self._num_workers and not self._is_closing:
            fresh.append(self._start_one())
            self._environments.append(fresh[-1])
        for environment in fresh:
            environment.hear()

    def _start_one(self) -> EnvironmentProcess:
        for _ in range(MAX_FORKSERVERS - 1):
            with contextlib.suppress(ForkserverDiedError):  # another one is started when it is asked again
                return EnvironmentProcess(self._spec)
            FORKSERVER.see_off()
        return EnvironmentProcess(self._spec)

    def _play(self, slots: tuple[int, ...]) -> None:
        assert len(slots) <= len(self._environments), "started, and an environment for each slot"  # noqa: S101
        self._playing = slots
        try:
            self._step_together(slots)
            self._replace_dead()
        finally:
            self._playing = ()

    def _replace_dead(self) -> None:
        dead = [environment for environment in self._environments if environment.is_gone]
        if dead:
            for environment in dead:
                environment.end()
            self._environments = [environment for environment in self._environments if not environment.is_gone]
            generation = self._generation
            self._generation += not self._is_closing  # what `close` ends is not replaced
            self._bring_up()
            raise WorkersDiedError(generation, frozenset(environment.handle.pid for environment in dead))

    def _step_together(self, slots: tuple[int, ...]) -> None:
        first = self._ring.header(slots[0])
        try:
            actor = self._policies.actor(int(first["weight_version"]))
        except Exception:  # noqa: BLE001  # told by the headers
            write_failures(self._ring, slots, traceback.format_exc())
            return
        acting = []
        for environment, slot in zip(self._environments, slots, strict=False):
            environment.say(slot.to_bytes(4, "little"))
            header, record = self._ring.header(slot), self._ring.record(slot)
            uniforms = seeding.uniforms(int(header["actions_seed"]), len(record["action"]))
            sample = partial(actor.sample, workflow_id=int(header["workflow_id"]), greedy=bool(header["greedy"]))
            acting.append((environment, record, sample, uniforms))
        for t in count():
            acting = [each for each in acting if each[0].hear() == ACTING]  # the barrier
            if not acting:
                return
            for environment, record, sample, uniforms in acting:
                record["action"][t], record["log_prob"][t] = sample(
                    record["observation"][t], uniform=float(uniforms[t])
                )
                environment.say(GO)

    def _end_all(self) -> None:
        for environment in self._environments:
            environment.kill()
        for environment in self._environments:
            environment.end()
        self._environments = []


class EnvironmentProcess:
    """The parent's end of an environment process."""

    def __init__(self, spec: WorkerSpec) -> None:
        """Start it, and tell it what it needs to know.

        Raises:
            ForkserverDiedError: What starts processes died at it.
        """
        self._pipe, far_end = WorkerContext().Pipe()
        self._process = WorkerProcess(target=serve, args=(spec, far_end), name="cage2-environment", daemon=True)
        try:
            self._process.start()
        except (EOFError, ConnectionError) as error:
            raise ForkserverDiedError from error
        finally:
            far_end.close()  # the process alone may hold one: its death then closes the pipe
        assert self._process.handle is not None, "started"  # noqa: S101
        self.handle = self._process.handle
        self.is_gone = False
        """Whether it has been found dead."""
        self._is_answer_due = True

    def is_alive(self) -> bool:
        """Whether it runs now."""
        return not self.handle.is_gone()

    def is_awaited(self) -> bool:
        """Whether it has not answered yet; may be asked by any thread."""
        return self._is_answer_due and not self._pipe.poll()

    def say(self, message: bytes) -> None:
        """Have it take up a slot, whose index the message is, or play the step whose action is written (`GO`)."""
        self._is_answer_due = True
        try:
            self._pipe.send_bytes(message)
        except OSError:
            self.is_gone = True

    def hear(self) -> bytes | None:
        """Wait for its answer, `IDLE` or `ACTING`; None if it is dead."""
        try:
            return self._pipe.recv_bytes()
        except (EOFError, OSError):
            self.is_gone = True
            return None
        finally:
            self._is_answer_due = False

    def kill(self) -> None:
        """End it at once, if it runs."""
        self._process.kill()

    def end(self) -> None:
        """End it, if it runs, and wait until it is gone."""
        self.kill()
        self._process.join()
        self._pipe.close()
