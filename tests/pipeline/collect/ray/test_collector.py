"""Real actors, on a Ray that all tests of this module share: to start one takes seconds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio
import uvloop

from native_buffers.slots import SlotState
from pipeline.collect.ray import cluster as ray_cluster
from pipeline.collect.ray import collector as ray_collector
from pipeline.collect.ray import crew as ray_crew
from pipeline.collect.ray.collector import RayCollector
from pipeline.collect.ray.errors import (
    RayActorsFailError,
    RayElsewhereError,
    RayNodeDiffersError,
    RayStoreError,
    RayWithoutCpusError,
)
from pipeline.extras import NotInstalledError
from pipeline.play.game import GameSpec, PlayEpisode
from pipeline.play.record import read_failure
from pipeline.workers import ray as ray_player
from pipeline.workers.death import WorkersDiedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conftest import OpenStage, Stage

ray = pytest.importorskip("ray", reason="an extra: pip install '.[ray]'")
pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 60
HOST_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)


@dataclass(frozen=True)
class Troubled(GameSpec):
    """A game whose episodes get into trouble as long as a file says so."""

    file: str = ""

    def play_episode(self) -> PlayEpisode:
        if trouble(self.file) == "build":
            raise OSError("this machine has no such game")
        play = super().play_episode()

        def play_troubled(*args: Any, **kwargs: Any) -> None:
            if trouble(self.file) == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            while trouble(self.file) == "hang":
                time.sleep(0.01)
            play(*args, **kwargs)

        return play_troubled


def trouble(file: str) -> str:
    return Path(file).read_text() if file else ""


def cause(file: Path, what: str) -> None:
    """Say so in one piece: a file that is just being written says nothing yet, and the episode would go on."""
    whole = file.with_suffix(".new")
    whole.write_text(what)
    whole.replace(file)


def host_program() -> dict[str, Any]:
    """What Ray could change of the program that it is used by; `RAY_CLIENT_MODE` is set by its import already."""
    kept = {name: value for name, value in os.environ.items() if name not in ("RAY_CLIENT_MODE", "PYTEST_CURRENT_TEST")}
    status = Path("/proc/self/status").read_text()  # what Python does not see: handlers that were set beneath it
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt")), "")
    return {"signals": [caught, *map(signal.getsignal, HOST_SIGNALS)], "environment": kept}


@pytest.fixture(scope="module")
def host() -> dict[str, Any]:
    """The host program before Ray is started and after it."""
    return {"before": host_program()}


@pytest.fixture(scope="module", autouse=True)
def _cluster(host: dict[str, Any]) -> Iterator[None]:
    """Ray, held by somebody besides the collectors, so that it outlives each of them."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # actors can't import a test
    before = set(psutil.Process().children(recursive=True))
    somebody = object()
    ray_cluster.submit(
        lambda: ray_cluster.join(somebody, "local", num_workers=2, store_bytes=ray_cluster.MIN_STORE_BYTES)
    ).result(TIMEOUT_S)
    connection = ray_cluster._connection
    assert connection is not None
    host["after"] = host_program()
    started = set(psutil.Process().children(recursive=True)) - before
    assert any("raylet" in " ".join(process.cmdline()) for process in started)
    yield
    ray_cluster.submit(lambda: ray_cluster.leave(somebody)).result(TIMEOUT_S)
    assert not ray.is_initialized(), "the last one closed it"
    assert not psutil.wait_procs(started, timeout=10)[1], "it left processes"
    assert connection.folder is not None
    assert not Path(connection.folder).exists(), "it left a folder"


@contextlib.asynccontextmanager
async def collecting(stage: Stage, num_workers: int = 2, address: str = "local") -> AsyncIterator[RayCollector]:
    spec = stage.spec
    collector = RayCollector(spec.game, stage.ring, stage.board, num_workers, address, debug=spec.debug)
    try:
        await asyncio.wait_for(collector.start(), TIMEOUT_S)
        yield collector
    finally:
        pids = {actor.pid for actor in collector._crew._roster._known if actor.pid}
        await asyncio.wait_for(collector.close(), TIMEOUT_S)
        assert collector.num_alive == 0
        await until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


@pytest.fixture(scope="module")
def stage(open_stage: OpenStage) -> Iterator[Stage]:
    """A stage whose game an actor has in no time; what is expected of it is played by CybORG."""
    with open_stage() as opened:
        yield opened.playing(engine="fast")
        assert opened.ring.num_free == opened.ring.num_slots


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector(stage: Stage) -> AsyncIterator[RayCollector]:
    async with collecting(stage) as started:
        yield started


@pytest.fixture
def troubled(stage: Stage, tmp_path: Path) -> tuple[Stage, Path]:
    """A stage whose game does what the file says."""
    file = tmp_path / "trouble"
    file.write_text("")
    game = stage.spec.game
    fields = {name: getattr(game, name) for name in game.__dataclass_fields__}
    return replace(stage, spec=replace(stage.spec, game=Troubled(**fields, file=str(file)))), file


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  # what is awaited happens in other processes
            await asyncio.sleep(0.005)


async def each_turn_until(condition: Callable[[], object]) -> None:
    """Look at each turn of the loop: what is awaited may last for less than a millisecond."""
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  # as said
            await asyncio.sleep(0)


def same(record: dict[str, Any], expected: dict[str, Any]) -> bool:
    return all(record[name].tobytes() == expected[name].tobytes() for name in expected)


async def test_actors_play_the_same_bits_as_this_process(stage: Stage, collector: RayCollector) -> None:
    asked = [{"episode_index": index, "weight_version": 0} for index in range(3)]
    others = [{"episode_index": 5, "workflow_id": 77, "weight_version": 1}]
    tasks = [tuple(stage.lease(**one) for one in task) for task in (asked, others)]
    await asyncio.gather(*(collector.play(slots) for slots in tasks))
    for slots, task in zip(tasks, (asked, others), strict=True):
        for slot, one in zip(slots, task, strict=True):
            header = stage.ring.header(slot)
            assert int(header["worker_pid"]) in {actor.pid for actor in collector._crew._roster._known}
            assert 0 < float(header["busy_s"]) <= float(header["finished_s"]) - float(header["started_s"])
            assert same(stage.take(slot), stage.expected(**one))


async def test_a_version_is_published_once_and_as_many_are_kept_as_on_the_board(open_stage: OpenStage) -> None:
    with open_stage() as stage:
        collector = RayCollector(stage.spec.game, stage.ring, stage.board, 1, "local", debug=False)  # needs no actor
        references = [await collector._publish(version) for version in (0, 1, 0)]
        assert references[0] is references[2]
        assert (ray.get(references[1]) == stage.board.read(1)).all()
        later = range(2, 2 + stage.spec.num_slabs)
        for version in later:
            assert stage.board.publish(stage.board.read(1)) == version
            await collector._publish(version)
        assert set(collector._weights) == set(later)


async def test_weights_that_the_store_refuses_are_told_and_tried_again(
    stage: Stage, collector: RayCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise ray.exceptions.ObjectStoreFullError("no room")

    collector._weights.clear()
    with monkeypatch.context() as patch:
        patch.setattr(ray, "put", refuse)
        both = await asyncio.gather(*(collector._publish(0) for _ in range(2)), return_exceptions=True)
        assert [type(error) for error in both] == [RayStoreError] * 2
        assert "weight version 0 into Ray's object store: no room" in str(both[0])
    assert (ray.get(await collector._publish(0)) == stage.board.read(0)).all()


async def test_the_host_program_keeps_its_signal_handlers_and_its_environment(host: dict[str, Any]) -> None:
    assert host["after"]["signals"] == host["before"]["signals"]
    assert host["after"]["environment"].items() ^ host["before"]["environment"].items() == set()


async def test_all_actors_come_up_and_no_more_tasks_are_asked_for_than_they_can_hold(collector: RayCollector) -> None:
    await until(lambda: collector.num_alive == 2)
    assert collector.max_tasks == 4
    assert collector.num_rebuilds == 0


async def test_under_uvloop(stage: Stage) -> None:
    async def play() -> None:
        async with collecting(stage, 1) as collector:
            slots = stage.lease(), stage.lease(episode_index=1)
            await collector.play(slots)
            for index, slot in enumerate(slots):
                assert same(stage.take(slot), stage.expected(episode_index=index))

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(play())

    await asyncio.to_thread(run)


async def test_who_was_not_told_of_a_death_is_not_blamed(troubled: tuple[Stage, Path]) -> None:
    stage, file = troubled
    async with collecting(stage, 1) as collector:
        cause(file, "hang")
        playing, waiting = (stage.lease(), stage.lease(episode_index=1)), (stage.lease(episode_index=2),)
        plays = [asyncio.ensure_future(collector.play(slots)) for slots in (playing, waiting)]
        (actor,) = collector._crew._roster._known
        await until(lambda: len(actor.tasks) == 2)
        cause(file, "die")
        deaths = await asyncio.gather(*plays, return_exceptions=True)
        assert [type(death) for death in deaths] == [WorkersDiedError] * 2
        assert [death.generation for death in deaths if isinstance(death, WorkersDiedError)] == [0, 0]
        assert [death.casualties for death in deaths if isinstance(death, WorkersDiedError)] == [{actor.pid}, set()]
        assert {stage.ring.state(slot) for slot in (*playing, *waiting)} == {SlotState.LEASED}
        assert (collector.num_alive, collector.num_rebuilds) == (0, 1)

        cause(file, "")
        await collector.play(waiting)  # as soon as another is up
        assert (collector.num_alive, collector.num_rebuilds) == (1, 1)
        assert int(stage.ring.header(waiting[0])["worker_pid"]) != actor.pid
        assert same(stage.take(waiting[0]), stage.expected(episode_index=2))
        stage.drop(*playing)


async def test_actors_that_die_together_count_once(troubled: tuple[Stage, Path]) -> None:
    stage, file = troubled
    async with collecting(stage) as collector:
        await until(lambda: collector.num_alive == 2)
        cause(file, "hang")
        slots = stage.lease(), stage.lease(episode_index=1)
        plays = [asyncio.ensure_future(collector.play((slot,))) for slot in slots]
        await until(lambda: [len(actor.tasks) for actor in collector._crew._roster._known] == [1, 1])
        pids = {actor.pid for actor in collector._crew._roster._known}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        cause(file, "")
        deaths = await asyncio.gather(*plays, return_exceptions=True)
        assert {death.generation for death in deaths if isinstance(death, WorkersDiedError)} == {0}
        assert {pid for death in deaths if isinstance(death, WorkersDiedError) for pid in death.casualties} == pids
        await until(lambda: collector.num_alive == 2)
        assert collector.num_rebuilds == 1
        stage.drop(*slots)


async def test_actors_that_die_with_nothing_to_play_are_replaced_and_nobody_is_blamed(stage: Stage) -> None:
    async with collecting(stage) as collector:
        await until(lambda: collector.num_alive == 2)
        pids = {actor.pid for actor in collector._crew._roster._known}
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: collector.num_rebuilds == 1)  # noticed without a task
        slot = stage.lease()
        await collector.play((slot,))
        assert int(stage.ring.header(slot)["worker_pid"]) not in pids
        assert same(stage.take(slot), stage.expected())
        await until(lambda: collector.num_alive == 2)
        assert collector.num_rebuilds == 1


async def test_a_task_beyond_what_ray_sends_with_a_call(
    stage: Stage, collector: RayCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_player, "MAX_PIECE_BYTES", 1000)
    slots = tuple(stage.lease(episode_index=index) for index in range(5))
    await collector.play(slots)
    for index, slot in enumerate(slots):
        assert same(stage.take(slot), stage.expected(episode_index=index))


@pytest.mark.parametrize("stopped", [False, True], ids=["hangs", "stopped"])
async def test_one_that_hangs_is_killed(troubled: tuple[Stage, Path], stopped: bool) -> None:
    stage, file = troubled
    async with collecting(stage, 1) as collector:
        cause(file, "hang")
        slots = (stage.lease(),)
        play = asyncio.ensure_future(collector.play(slots))
        (actor,) = collector._crew._roster._known
        await each_turn_until(lambda: actor.tasks)
        if stopped:
            os.kill(actor.pid, signal.SIGSTOP)
        await collector.kill(slots)
        with pytest.raises(WorkersDiedError) as caught:
            await asyncio.wait_for(play, TIMEOUT_S)
        assert caught.value.casualties == {actor.pid}
        await collector.kill(slots)  # which nobody holds any more
        stage.drop(*slots)
        await until(lambda: not psutil.pid_exists(actor.pid))


async def test_an_environment_that_cannot_be_built_is_told_by_the_slots(troubled: tuple[Stage, Path]) -> None:
    stage, file = troubled
    cause(file, "build")
    async with collecting(stage, 1) as collector:
        for _ in range(2):  # it stays alive
            slot = stage.lease()
            await collector.play((slot,))
            assert stage.ring.state(slot) is SlotState.LEASED
            assert "OSError: this machine has no such game" in str(read_failure(stage.ring.header(slot)))
            stage.drop(slot)
        assert (collector.num_alive, collector.num_rebuilds) == (1, 0)


async def test_a_node_that_differs_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    take = ray_collector.take_fingerprint

    def take_another(game: GameSpec) -> Any:
        here = take(game)
        return replace(here, versions={**here.versions, "numba": "0.1"})

    monkeypatch.setattr(ray_collector, "take_fingerprint", take_another)
    with pytest.raises(RayNodeDiffersError, match=rf"{os.uname().nodename} would give other .* numba is .*, 0\.1 here"):
        async with collecting(stage, 1):
            pass


@dataclass(frozen=True)
class Unknown(GameSpec):
    """A game that can't be had where it is played."""

    def __setstate__(self, _: object) -> None:
        raise ModuleNotFoundError("No module named 'pipeline'")


async def test_actors_that_cannot_run_our_code_are_told_with_the_reason(stage: Stage) -> None:
    game = stage.spec.game
    fields = {name: getattr(game, name) for name in game.__dataclass_fields__}
    unknown = replace(stage, spec=replace(stage.spec, game=Unknown(**fields)))
    with pytest.raises(RayActorsFailError, match=r"No module named 'pipeline'.*installed on every node"):
        async with collecting(unknown, 1):
            pass


async def test_actors_that_keep_dying_at_their_start_are_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_crew, "MAX_STILLBORN_GENERATIONS", 2)
    game = stage.spec.game
    fields = {name: getattr(game, name) for name in game.__dataclass_fields__}
    deadly = replace(stage, spec=replace(stage.spec, game=Deadly(**fields, parent=os.getpid())))
    with pytest.raises(RayActorsFailError):
        async with collecting(deadly, 1):
            pass


@dataclass(frozen=True)
class Deadly(GameSpec):
    """A game that kills whoever would play it."""

    parent: int = 0

    def prepare(self) -> None:
        if os.getpid() != self.parent:
            os.kill(os.getpid(), signal.SIGKILL)


async def test_a_cluster_without_cpus_is_waited_for_but_not_for_ever(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_cpus = iter([1, 0])  # it has one, which somebody else holds; later it has none
    monkeypatch.setattr(ray_crew, "NO_CPU_PATIENCE_S", 0.05)
    monkeypatch.setattr(ray_crew, "_num_cpus", lambda: next(num_cpus))
    monkeypatch.setattr(ray_crew.RayCrew, "_hire", lambda _: None)
    with pytest.raises(RayWithoutCpusError, match="ray start"):
        async with collecting(stage, 1):
            pass
    assert next(num_cpus, None) is None


async def test_one_process_has_one_cluster(stage: Stage) -> None:
    connected = ray.get_runtime_context().gcs_address
    with pytest.raises(RayElsewhereError, match=f"at {connected} already"):
        async with collecting(stage, 1, "192.0.2.1:6379"):
            pass
    async with collecting(stage, 1, connected) as collector:
        assert collector.num_alive == 1


async def test_may_be_closed_before_while_and_after_it_starts(stage: Stage) -> None:
    game, debug = stage.spec.game, stage.spec.debug
    never = RayCollector(game, stage.ring, stage.board, 1, "local", debug=debug)
    await never.close()
    await never.close()
    early = RayCollector(game, stage.ring, stage.board, 1, "local", debug=debug)
    starting = asyncio.ensure_future(early.start())
    await asyncio.sleep(0)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await early.close()
    await early.close()
    assert early._crew._handles == []
    assert ray.is_initialized(), "somebody else uses it"


async def test_what_goes_wrong_at_the_end_is_told_and_ray_is_left_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise ray.exceptions.RaySystemError("it is gone")

    async with collecting(stage, 1) as collector:
        with monkeypatch.context() as patch:
            patch.setattr(ray_crew.RayCrew, "dismiss_all", fail)
            with pytest.raises(ray.exceptions.RaySystemError, match="it is gone"):
                await collector.close()
        assert ray_cluster._connection is not None
        assert collector not in ray_cluster._connection.users


async def test_an_end_that_takes_too_long_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(ray_collector, "CLOSE_TIMEOUT_S", 0.05)
    collector = RayCollector(stage.spec.game, stage.ring, stage.board, 1, "local", debug=False)
    with monkeypatch.context() as patch:
        patch.setattr(collector._crew, "dismiss_all", lambda: released.wait(TIMEOUT_S) and 0)
        with pytest.warns(RuntimeWarning, match="not ended what this run started"):
            await collector.close()
        released.set()
        await ray_cluster.on_thread(lambda: None)


async def test_actors_that_were_not_seen_to_end_are_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = RayCollector(stage.spec.game, stage.ring, stage.board, 1, "local", debug=False)
    monkeypatch.setattr(collector._crew, "dismiss_all", lambda: 2)
    with pytest.warns(RuntimeWarning, match="2 Ray actors were killed and have not been seen to end"):
        await collector.close()


async def test_an_abandoned_play_does_no_harm(stage: Stage, collector: RayCollector) -> None:
    slots = stage.lease(), stage.lease()
    play = asyncio.ensure_future(collector.play(slots))
    await each_turn_until(lambda: collector._crew.holder(slots))
    play.cancel()
    with pytest.raises(asyncio.CancelledError):
        await play
    again = stage.lease(episode_index=1)
    await collector.play((again,))
    assert same(stage.take(again), stage.expected(episode_index=1))
    stage.drop(*slots)


async def test_debug_finds_what_an_actor_has_not_written(open_stage: OpenStage) -> None:
    with open_stage(debug=True) as stage:
        async with collecting(stage, 1) as collector:
            slot = stage.lease()
            await collector.play((slot,))
            assert same(stage.take(slot), stage.expected())


async def test_without_the_extra_it_says_what_to_install(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(NotInstalledError, match="--collector ray needs ray: pip install"):
        RayCollector(stage.spec.game, stage.ring, stage.board, 1, "local", debug=False)
