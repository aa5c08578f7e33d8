"""What is measured, what comes out of it, and how: each in a process of its own.

```
 compare.py, throughput.py                 measure.py -> parts/methods.py
 measure_afresh(job)  ==== Job, JSON ===>  starts the method's processes, warms up, times
 Row                  <==== Row, JSON ===
```

In a process of its own, because a forkserver or a Ray that is up already would spare the next method its start.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import extras

if TYPE_CHECKING:
    from parts.synthetic import Spread

METHODS = ("sequential", "synchronous", "ray", "pickle", "shm", "prototype")
WARM_UP_S = 2.0
"""From the first episode on, at least: workers keep what the policy has computed, and need it less and less."""
START_LIMIT_S = 600.0
"""Until all workers are up and warm; 100 processes of a slow start share few cores."""


class MeasurementFailedError(RuntimeError):
    """A method could not be measured; why was printed."""


@dataclass(frozen=True, slots=True)
class Job:
    """One method to measure, with so many workers."""

    method: str
    workers: int
    engine: str
    """`cyborg`, `fast` or `synthetic`."""
    red_agent: str
    seconds: float
    """Of the window, at least."""
    episodes: int
    """Of the window, at least."""
    num_steps: int
    """Per episode."""
    warm_up_s: float = WARM_UP_S
    """From the first episode on to where the window may begin."""
    step_ms: float = 0.0
    """Mean time of a step, milliseconds; synthetic only."""
    spread: Spread = "none"
    """Of these times; synthetic only."""


@dataclass(frozen=True, slots=True)
class Row:
    """One method's figures, of a window in which every worker had work waiting all the time."""

    method: str
    engine: str
    red_agent: str
    workers: int
    episodes: int
    """That arrived in the window."""
    window_s: float
    """From one task's arrival to a later one's."""
    episodes_per_s: float
    first_episode_s: float
    """From the making of the collector to the first episode in the parent, start of the processes included."""
    idle_share: float
    """Of the workers' time: not spent in an episode."""
    parent_cpu_share: float
    """Of one core: what the process that collects computes; for `sequential`, with the game."""
    children_cpu_share: float
    """Of one core: what all others compute, workers and Ray's own processes."""
    pickled_bytes_per_episode: float
    """Both directions: what is really put into pipes, or, with Ray, given to it."""
    pickled_bytes_to_worker: float
    pickled_bytes_to_parent: float
    serialization_us_per_episode: float
    """Microseconds to pickle and unpickle that, both directions."""
    raw_bytes_per_episode: float
    """Through pipes without pickling, both directions."""
    shared_bytes_per_episode: int
    """Written to shared memory instead."""
    pss_bytes: int
    """Of parent, workers and forkserver or Ray together, each shared page counted once."""

    @property
    def bytes_per_episode(self) -> float:
        """All that passes between the parent and a worker."""
        return self.pickled_bytes_per_episode + self.raw_bytes_per_episode + self.shared_bytes_per_episode

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return {**asdict(self), "bytes_per_episode": self.bytes_per_episode}

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Row:
        """Return the row that `to_json` returned as `values`."""
        return cls(**{name: value for name, value in values.items() if name != "bytes_per_episode"})


def measure_afresh(job: Job) -> Row:
    """Measure in a new process.

    Raises:
        MeasurementFailedError: It failed; the reason is on stderr.
    """
    command = [sys.executable, str(Path(__file__).parents[1] / "measure.py"), json.dumps(asdict(job))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            output, _ = process.communicate(timeout=2 * START_LIMIT_S + 10 * job.seconds)
        except KeyboardInterrupt:
            process.wait(60)  # it got the Ctrl-C too, and takes its workers and its memory down
            raise
        except subprocess.TimeoutExpired:
            process.kill()
            raise MeasurementFailedError(f"{job.method} with {job.workers} workers came to no end") from None
    if process.returncode:
        raise MeasurementFailedError(f"{job.method} with {job.workers} workers could not be measured")
    return Row.of_json(json.loads(output.splitlines()[-1]))


def median_row(rounds: list[Row]) -> Row:
    """Return the row of middling speed."""
    return sorted(rounds, key=lambda row: row.episodes_per_s)[len(rounds) // 2]


def import_pyplot() -> Any:
    """Return matplotlib's pyplot, set up to draw to files only.

    Raises:
        NotInstalledError: It is not installed.
    """
    extras.require("--plot", "matplotlib")
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    return pyplot
