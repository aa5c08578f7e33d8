"""What one episode is in shared memory: two tables, from which every offset is derived, and how it tells of a failure.

Whoever plays neither logs nor raises: what goes wrong with an episode is written to its slot's header.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from native_buffers.layout import Field, Layout
from pipeline.cage2.attackers.errors import told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from native_buffers.layout import Array
    from native_buffers.ring import EpisodeRing

ERROR_TEXT_BYTES = 464
"""Room for a worker's traceback, the end of it kept."""

UNTOLD = -1
"""`worker_pid` of an episode that is played where the slot can't be written to until it is over."""

HEADER = Layout(
    (
        # written by the parent, when it leases the slot
        Field("workflow_id", (), "int16", "0 to 119"),
        Field("weight_version", (), "int64", "serial"),
        Field("environment_seed", (), "uint64", "seed"),
        Field("actions_seed", (), "uint64", "seed"),
        Field("greedy", (), "uint8", "1 to take the likeliest action instead of drawing one"),
        # written by the worker
        Field("worker_pid", (), "int32", "process id, 0 until a worker takes the episode up, -1 where nobody is told"),
        Field("started_s", (), "float64", "seconds, CLOCK_MONOTONIC of the worker's machine"),
        Field("finished_s", (), "float64", "seconds, CLOCK_MONOTONIC of the worker's machine"),
        Field("busy_s", (), "float64", "seconds of these in which the worker played rather than waited"),
        Field("failed", (), "uint8", "1 if the worker raised"),
        Field("error_text", (), f"S{ERROR_TEXT_BYTES}", "UTF-8"),
    ),
    alignment=8,
)
"""A slot's header: what to play, and how that went."""


def record_layout(num_steps: int, observation_size: int) -> Layout:
    """Return the layout of an episode of `T = num_steps` steps: about 6 kB for 100 with CybORG's own observation.

    Args:
        num_steps: `T`.
        observation_size: Bits that the policy sees at a step.
    """
    return Layout(
        (
            # row T is what Blue sees after its last action: the learner bootstraps from it
            Field("observation", (num_steps + 1, observation_size), "int8", "bit", poison=-1),
            Field("action", (num_steps,), "uint8", "index among the interface's actions", poison=255),
            Field("log_prob", (num_steps,), "float32", "nats, of the behavior policy", poison=float("nan")),
            Field("reward_tenths", (num_steps,), "int16", "tenths of a point", poison=-32768),
            Field("fix", (num_steps,), "int8", "0 no fix action, 1 not compliant, 2 compliant", poison=-1),
        )
    )


def write_failure(header: dict[str, Array], text: str) -> None:
    """Mark an episode as failed, with the end of `text` as the reason."""
    header["error_text"][...] = text.encode(errors="replace")[-ERROR_TEXT_BYTES:]
    header["failed"][...] = 1


def write_failures(ring: EpisodeRing, slots: Sequence[int], text: str) -> None:
    """Mark the episodes of leased slots as failed, all for one reason."""
    for slot in slots:
        write_failure(ring.header(slot), text)


def read_failure(header: dict[str, Array]) -> str | None:
    """Return why an episode failed, or None if it didn't."""
    if not header["failed"]:
        return None
    return bytes(header["error_text"].item()).decode(errors="replace")


@contextlib.contextmanager
def failure_told(
    header: dict[str, Array], errors: type[BaseException] | tuple[type[BaseException], ...] = Exception
) -> Iterator[None]:
    """Write to a header why what is done meanwhile fails, instead of raising it.

    Args:
        header: Views of `HEADER`.
        errors: What is told; all else is raised.
    """
    try:
        yield
    except errors as error:
        write_failure(header, told(error))
