"""A search whose runs need no training: what each is worth is a function of its configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.tuning.plan import TuningPlan
from pipeline.tuning.tuner import Tuner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pipeline.config import Config
    from pipeline.experiment.plan import PlannedRun
    from pipeline.experiment.runner import Event
    from tests.pipeline.conftest import EndedRun

PLAN = TuningPlan({"total_episodes": 64}, ("ppo.learning_rate", "hidden_sizes"), 7, 2, 5, 3)


def worth(config: Config) -> float | None:
    """Return what a run is said to be worth: best with a learning rate of 4e-3; seed 1 is the worse."""
    rate = config.ppo.learning_rate or 1e-3
    return None if rate < 2e-4 else round(-14.0 - 5 * abs(math.log10(rate / 4e-3)) - config.seed, 3)


@dataclass
class Untrained:
    """Stands for the command that trains: writes what a run would come to."""

    ended_run: EndedRun
    folder: Path
    plan: TuningPlan = PLAN
    begun: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    tuner: Tuner = field(init=False)
    before: Callable[[], object] = lambda: None
    """Called before each run."""
    fails: Callable[[PlannedRun], bool] = lambda _: False

    def __post_init__(self) -> None:
        self.tuner = Tuner(self.plan, self.folder, {}, arguments=self.arguments, note=self.events.append)

    def arguments(self, run: PlannedRun, has_begun: bool) -> Sequence[str]:
        """Return a command that succeeds at once, the run being there by then."""
        self.before()
        if self.fails(run):
            return ["--no-such-option"]
        assert not has_begun
        self.begun.append(run.run_dir.name)
        values: dict[str, Any] = run.config.model_dump(exclude_unset=True)
        self.ended_run(values.pop("run_name"), worth(run.config), **values)
        return ["completion", "bash"]


@pytest.fixture
def untrained(ended_run: EndedRun, tmp_path: Path) -> Untrained:
    pytest.importorskip("optuna")
    return Untrained(ended_run, tmp_path / "search")
