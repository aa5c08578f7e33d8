"""Folders of runs with logs as a run writes them, by the writers themselves."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config import Config
from pipeline.observe.csv_log import CsvLog
from pipeline.observe.logs import EVENT_LOG, event_fields, event_name
from pipeline.persist.runs import RunFolder
from pipeline.types import (
    Estimate,
    RunFinished,
    RunStarted,
    Score,
    UpdateResult,
    WorkflowFinished,
    WorkflowResult,
    WorkflowStarted,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.types import Event, Part, VisitEnd

BEGAN_S = 1_700_000_000.0


class Writer:
    """Writes what a run writes: an update every ten seconds, of 32 episodes."""

    def __init__(self, run_dir: Path, update: UpdateResult) -> None:
        self.run_dir = run_dir
        self.total_episodes = 0
        self.now_s = BEGAN_S
        self._update = update
        self._csv = CsvLog(run_dir)
        self._iteration = 0
        self._num_updates: dict[int, int] = {}

    def event(self, event: Event) -> None:
        at = datetime.fromtimestamp(self.now_s, UTC).isoformat().replace("+00:00", "Z")
        line = {**event_fields(event), "event": event_name(event), "level": "info", "timestamp": at}
        with (self.run_dir / EVENT_LOG).open("a") as file:
            file.write(json.dumps(line) + "\n")

    def start(self, *, resumed: bool = False) -> None:
        self.event(RunStarted(str(self.run_dir), resumed))

    def begin(self, workflow_id: int, order: str, part: Part = "search") -> None:
        self.event(WorkflowStarted(self._iteration, workflow_id, order, math.nan, resumed_policy=False, part=part))

    def update(self, workflow_id: int, env_reward: float = -50.0, stderr: float = 2.0, **changes: Any) -> None:
        number = self._num_updates.get(workflow_id, 0)
        self._num_updates[workflow_id] = number + 1
        self.total_episodes += 32
        self.now_s += 10
        event = replace(
            self._update,
            workflow_id=workflow_id,
            update=number,
            num_episodes=32,
            total_episodes=self.total_episodes,
            env_reward=Estimate(env_reward, stderr),
            **changes,
        )
        self._csv(event)
        self.event(event)

    def end(
        self,
        workflow_id: int,
        order: str,
        env_reward: float,
        *,
        compliance: float = 1.0,
        num_episodes: int = 64,
        part: Part = "search",
        reason: VisitEnd = "threshold",
    ) -> None:
        score = Score(200, Estimate(env_reward, 0.5), compliance, Estimate(env_reward + 1, 0.25), compliance)
        reached = compliance >= 0.95
        result = WorkflowResult(workflow_id, score, num_episodes, reached, reason)
        learned = reached and part == "search"
        event = WorkflowFinished(self._iteration, order, math.nan, part, result, learned, order, score)
        self._iteration += 1
        self._csv(event)
        self.event(event)

    def close(self) -> None:
        self._csv.close()


@pytest.fixture
def writer(tmp_path: Path, update: UpdateResult) -> Writer:
    folder = RunFolder.create(Config(log_dir=tmp_path, run_name="run", total_episodes=1000, workers=2))
    folder.close()
    return Writer(folder.path, update)


@pytest.fixture
def finish(writer: Writer, run_finished: RunFinished) -> Callable[..., None]:
    """Return what writes a run's end."""

    def finish_run(**changes: Any) -> None:
        writer.event(replace(run_finished, **changes))

    return finish_run
