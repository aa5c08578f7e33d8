"""A worker dies at the worst of moments, or hangs there: the run goes on to the same bits.

The game that is played is rigged: the worker that comes to a moment meets its end, as often as the parent allows.

```
 attach, build     read weights    -- record: half, a step in between, whole --    FILLED      answer, wait
 ^ start           ^ weights          ^ half-written  ^ step            ^ written  ^ filled    ^ idle
```
"""

from __future__ import annotations

import asyncio
import importlib
import json
import math
import os
import re
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

import psutil
import pytest

from pipeline import Config, Pipeline
from pipeline.collect import watch
from pipeline.collect.collection import MAX_FRUITLESS_REBUILDS, WorkersKeepDyingError
from pipeline.collect.deadline import Deadline
from pipeline.collect.executor import ExecutorCollector
from pipeline.collect.scheduler import MAX_ATTEMPTS, EpisodeGivenUpError
from pipeline.ppo import update as ppo
from pipeline.run import parts
from pipeline.types import EpisodesLost

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.policy.store import PolicyState


RUN: dict[str, Any] = {
    "total_episodes": 48,
    "finals_share": 0,
    "max_episodes_per_workflow": 32,
    "episodes_per_update": 16,
    "workers": 2,
    "episodes_per_task": 2,
    "evaluation_episodes": 4,
}
DEADLY_GAME = """
import ctypes
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from native_buffers.ring import EpisodeRing
from pipeline.play import player
from pipeline.play.game import GameSpec

ENDS = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGSEGV": lambda: ctypes.string_at(0),
    "os._exit": lambda: os._exit(3),
    "hang": lambda: time.sleep(3600),
}


@dataclass(frozen=True)
class DeadlyGame(GameSpec):
    '''A game that ends the first workers that come to a moment; to one of an episode's, by its environment seed.'''

    folder: str = ""
    moment: str = ""
    end: str = ""
    seed: int = 0
    num_deaths: int = 0

    def come_to(self, moment, seed=None):
        if moment != self.moment or seed not in (None, self.seed):
            return
        for death in range(self.num_deaths):
            try:
                with (Path(self.folder) / f"death-{death}").open("x") as file:
                    file.write(str(os.getpid()))
            except FileExistsError:
                continue
            ENDS[self.end]()

    def after(self, outcome, moment):
        self.come_to(moment)
        return outcome

    def env(self):
        return DeadlyEnv(self, super().env())

    def play_episode(self):
        self.come_to("start")
        if self.moment == "weights":
            player.Policies = lambda game, read: Policies(game, lambda version: self.after(read(version), "weights"))
        if self.moment == "filled":
            EpisodeRing.fill = lambda ring, slot: self.after(fill(ring, slot), "filled")
        play = super().play_episode()

        def play_and_note(actor, verdicts, *, environment_seed, record, **rest):
            self.note("begun", environment_seed)
            if environment_seed == self.seed and self.moment == "half-written":
                for field in record.values():
                    field[: len(field) // 2] = 77
                self.come_to("half-written")
            play(actor, verdicts, environment_seed=environment_seed, record=record, **rest)
            self.come_to("written", environment_seed)
            self.note("ended", environment_seed)

        return play_and_note

    def note(self, what, seed):
        path = Path(self.folder) / "notes"
        playing = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            other, _, _, pid = json.loads(line)
            playing[pid] = other == "begun" and pid != os.getpid()
        beside = [pid for pid, is_playing in playing.items() if is_playing and psutil.pid_exists(pid)]
        with path.open("a") as notes:
            notes.write(json.dumps([what, seed, beside, os.getpid()]) + "\\n")


class DeadlyEnv:
    '''An environment in which the middle step of an episode is deadly.'''

    def __init__(self, game, env):
        self.game, self.env, self.red_hosts = game, env, env.red_hosts

    def reset(self, seed):
        self.seed, self.t = seed, 0
        return self.env.reset(seed)

    def step(self, action):
        self.t += 1
        if self.t == 50:
            self.game.come_to("step", self.seed)
        return self.env.step(action)


Policies, fill = player.Policies, EpisodeRing.fill
"""

_FRAMES = r" 0x[0-9a-f]+ \(most recent call first\):\n(?:  File \"[^\"\n]+\", line \d+ in \S+\n)+"
WATCH_STACK = f"Thread{_FRAMES}(?<= in _bootstrap\n)"
MAIN_STACK = f"Current thread{_FRAMES}(?<= in <module>\n)"


class Rig(Protocol):
    def __call__(self, **how: Any) -> None: ...


def rigging(folder: Path, patch: pytest.MonkeyPatch) -> Rig:
    """Return what rigs the runs that follow; deaths are counted in the folder, and episodes noted."""
    (folder / "deadly_game.py").write_text(DEADLY_GAME)
    patch.syspath_prepend(folder)  # workers are told of it, too
    patch.delitem(sys.modules, "deadly_game", raising=False)
    deadly_game, fair_game = importlib.import_module("deadly_game").DeadlyGame, parts.game_spec

    def rig_runs(**how: Any) -> None:
        patch.setattr(
            parts, "game_spec", lambda config: deadly_game(**vars(fair_game(config)), folder=str(folder), **how)
        )

    return rig_runs


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return rigging(tmp_path, monkeypatch)


def notes(folder: Path) -> list[tuple[str, int, list[int]]]:
    """What workers wrote down: begun or ended, environment seed, which others were playing."""
    return [tuple(json.loads(line)[:3]) for line in (folder / "notes").read_text().splitlines()]


def num_deaths(folder: Path) -> int:
    return len(list(folder.glob("death-*")))


def num_hanging(folder: Path) -> int:
    """Of those that came to their end by hanging, how many still do."""
    pids = [file.read_text() for file in folder.glob("death-*")]
    return sum(bool(pid) and psutil.pid_exists(int(pid)) for pid in pids)


def worker_pids() -> list[int]:
    """The workers of this process: what its forkserver has forked."""
    children = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    servers = [p for p in children if "forkserver" in " ".join(p.cmdline())]
    return [each.pid for server in servers for each in server.children() if each.status() != psutil.STATUS_ZOMBIE]


class Outcome:
    """What came of a run."""

    digest: str
    num_rebuilds: int
    num_lost: int
    fault_text: str


async def run(log_dir: Path, **changes: Any) -> Outcome:
    """Run to the end, and look for what it left: slots, processes."""
    outcome = Outcome()
    async with Pipeline(Config(**{**RUN, **changes}, log_dir=log_dir, run_name="run")) as pipeline:
        events = [event async for event in pipeline.events()]
        outcome.digest = (await pipeline.run()).digest
        statistics = pipeline.statistics()
        # what is played ahead when the run ends may still be in its slot; all others are free again
        assert statistics.ring.num_free + statistics.collection.num_in_flight == statistics.ring.num_slots
    outcome.num_rebuilds = statistics.num_rebuilds
    outcome.num_lost = sum(event.num_episodes for event in events if isinstance(event, EpisodesLost))
    faults = list((log_dir / "run").glob("*fault*"))
    outcome.fault_text = faults[0].read_text() if faults else ""
    assert worker_pids() == []
    return outcome


class Fair(list[int]):
    """The environment seeds of a run that nothing happens to, in the order in which it asks for them."""

    digest: str


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Fair:
    folder = tmp_path_factory.mktemp("fair")
    with pytest.MonkeyPatch.context() as patch:
        rigging(folder, patch)()
        outcome = asyncio.run(run(folder, collector="sequential"))
    fair = Fair(seed for what, seed, _ in notes(folder) if what == "begun")
    fair.digest = outcome.digest
    return fair


@pytest.mark.parametrize(
    ("moment", "end", "method"),
    [
        ("start", "SIGKILL", {}),
        ("start", "SIGSEGV", {"transport": "pickle"}),
        ("weights", "SIGKILL", {}),
        ("weights", "SIGSEGV", {}),
        ("weights", "os._exit", {"transport": "pickle"}),
        ("half-written", "SIGKILL", {}),
        ("half-written", "SIGSEGV", {}),
        ("half-written", "os._exit", {}),
        ("half-written", "SIGKILL", {"transport": "pickle"}),
        ("step", "SIGKILL", {"engine": "cyborg"}),
        ("step", "SIGSEGV", {"engine": "cyborg"}),
        ("step", "os._exit", {"collector": "synchronous", "episodes_per_task": None}),
        ("written", "SIGSEGV", {}),
        ("written", "os._exit", {}),
        ("filled", "SIGKILL", {}),
        ("filled", "os._exit", {}),
    ],
    ids=str,
)
async def test_a_worker_that_dies_at(
    moment: str, end: str, method: dict[str, Any], fair: Fair, rig: Rig, tmp_path: Path
) -> None:
    rig(moment=moment, end=end, seed=fair[20], num_deaths=1)
    outcome = await run(tmp_path, **method)
    assert num_deaths(tmp_path) == 1
    assert outcome.digest == fair.digest
    assert outcome.num_rebuilds >= 1  # as with those that hang: how often is no result
    if moment != "filled":  # what was complete is kept
        assert outcome.num_lost >= 1
    assert ("deadly_game.py" in outcome.fault_text) == (end == "SIGSEGV")  # where it crashed


@pytest.mark.parametrize("end", ["SIGKILL", "SIGSEGV", "os._exit"])
@pytest.mark.parametrize("transport", ["shm", "pickle"])
async def test_a_worker_that_dies_idle(
    end: str, transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without policy lag, nobody plays while an update is computed."""
    unhurt = await run(tmp_path / "unhurt", policy_lag=0)
    num_in_flight: list[int] = []
    update = ppo.update

    def end_all_then_learn(policy: PolicyState, *arguments: Any, **options: Any) -> ppo.UpdateMetrics:
        if not num_in_flight and policy.num_updates == 1:  # not that of the warm-up
            num_in_flight.append(pipeline._run._parts.collection.statistics().num_in_flight)
            collector = pipeline._run._parts.collector
            assert isinstance(collector, ExecutorCollector)
            if end == "os._exit":
                collector._pool._executor.submit(os._exit, 3)
            else:
                for process in collector._pool._processes:
                    assert process.pid is not None
                    os.kill(process.pid, signal.Signals[end])
            while all(process.is_alive() for process in collector._pool._processes):
                time.sleep(0.001)
        return update(policy, *arguments, **options)

    monkeypatch.setattr(ppo, "update", end_all_then_learn)
    config = Config(**RUN, policy_lag=0, transport=transport, log_dir=tmp_path)
    async with Pipeline(config) as pipeline:
        assert (await pipeline.run()).digest == unhurt.digest
        assert num_in_flight == [0]
        assert pipeline.statistics().num_rebuilds == 1
    assert worker_pids() == []


@pytest.mark.parametrize(("moment", "end"), [("half-written", "SIGKILL"), ("written", "os._exit")])
async def test_an_episode_that_always_kills_its_worker_is_given_up(
    moment: str, end: str, fair: Fair, rig: Rig, tmp_path: Path
) -> None:
    rig(moment=moment, end=end, seed=fair[20], num_deaths=99)
    with pytest.raises(EpisodeGivenUpError) as error:
        await run(tmp_path)
    assert f"failed {MAX_ATTEMPTS} times: its worker process died" in str(error.value)
    assert f"(environment seed {fair[20]}, actions seed" in str(error.value)
    assert num_deaths(tmp_path) == MAX_ATTEMPTS
    *_, beside = [beside for what, seed, beside in notes(tmp_path) if (what, seed) == ("begun", fair[20])]
    assert beside == []  # the last time it was played alone
    assert worker_pids() == []

    rig()  # what it died of is mended: the run goes on
    async with Pipeline.resume(tmp_path / "run") as resumed:
        assert (await resumed.run()).digest == fair.digest


async def test_workers_that_die_at_every_start_end_the_run(fair: Fair, rig: Rig, tmp_path: Path) -> None:
    rig(moment="start", end="SIGSEGV", num_deaths=99)
    with pytest.raises(WorkersKeepDyingError):
        await run(tmp_path, workers=1)
    assert MAX_FRUITLESS_REBUILDS <= num_deaths(tmp_path) <= MAX_FRUITLESS_REBUILDS + 1  # and the one that replaced it
    assert worker_pids() == []

    rig()
    async with Pipeline.resume(tmp_path / "run") as resumed:
        assert (await resumed.run()).digest == fair.digest


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes otherwise. Time runs only while somebody hangs, so that a busy machine is none that hangs."""
    monkeypatch.setattr(Deadline, "limit_s", lambda *_: 1.0 if num_hanging(tmp_path) else math.inf)
    monkeypatch.setattr(watch, "INTERVAL_S", 0.02)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("moment", "method"),
    [
        ("weights", {}),
        ("half-written", {}),
        ("half-written", {"transport": "pickle"}),
        ("written", {}),
        ("step", {"collector": "synchronous", "episodes_per_task": None}),
    ],
    ids=str,
)
async def test_a_worker_that_hangs_at(
    moment: str, method: dict[str, Any], fair: Fair, rig: Rig, tmp_path: Path
) -> None:
    rig(moment=moment, end="hang", seed=fair[20], num_deaths=1)
    outcome = await run(tmp_path, **method)
    assert num_deaths(tmp_path) == 1
    assert outcome.digest == fair.digest
    assert outcome.num_rebuilds >= 1
    assert "in come_to" in outcome.fault_text  # where it hung


async def test_all_that_hang_write_down_their_stacks_one_after_the_other(
    fair: Fair, rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When weights are pickled, nobody is told which of them hangs: all are killed at once."""
    monkeypatch.setattr(Deadline, "limit_s", lambda *_: 0.0 if num_hanging(tmp_path) == 6 else math.inf)
    monkeypatch.setattr(watch, "INTERVAL_S", 0.02)
    rig(moment="weights", end="hang", num_deaths=6)
    outcome = await run(tmp_path, transport="pickle", workers=6)
    assert outcome.digest == fair.digest
    assert num_deaths(tmp_path) == 6
    assert re.fullmatch(f"({WATCH_STACK}\n{MAIN_STACK}){{6}}", outcome.fault_text), outcome.fault_text
    for dump in re.findall(f"{WATCH_STACK}\n{MAIN_STACK}", outcome.fault_text):
        assert [dump.count(f" in {function}\n") for function in ("_die_with_parent", "come_to", "_main")] == [1, 1, 1]


@pytest.mark.usefixtures("impatient")
async def test_an_episode_that_always_hangs_is_given_up(fair: Fair, rig: Rig, tmp_path: Path) -> None:
    rig(moment="half-written", end="hang", seed=fair[20], num_deaths=99)
    with pytest.raises(EpisodeGivenUpError) as error:
        await run(tmp_path)
    assert f"failed {MAX_ATTEMPTS} times: it did not end within" in str(error.value)
    assert f"(environment seed {fair[20]}, actions seed" in str(error.value)
    assert num_deaths(tmp_path) == MAX_ATTEMPTS
    assert worker_pids() == []
