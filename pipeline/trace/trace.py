"""What a trace is: an episode step by step, complete enough to be looked at without playing it again.

A file of traces is JSON lines (`file` writes it, `reader` reads it): a `Header`, then a `Trace` a line. A line is an
episode and not a step, so that a file that was cut short, by whatever, has whole episodes and at most one damaged line;
and so that one episode is found by counting lines. Nothing here is imported beyond the standard library: workers make
traces, readers check them.

Hosts, actions and what Blue's table says are CybORG's names. Hosts of which there is nothing to say are left out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Literal

FORMAT = 1
"""Of a file; a reader takes no other."""

CHECKED = {"extra": "forbid", "allow_inf_nan": False}
"""What the reader takes, in pydantic's words: keys that there are, and numbers that JSON has."""

Verdict = Literal["none", "not_compliant", "compliant"]
"""`compliance.Fix`, by name in lower case."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a file: who played which game, by which version."""

    __pydantic_config__ = CHECKED

    trace_format: int
    """`FORMAT`."""
    agent: dict[str, str | int | dict[str, str]]
    """As `run.py evaluate --json` has it."""
    game: dict[str, str]
    """`engine`, `profile` and `cyborg`, likewise."""
    version: str
    """Of this project."""
    purpose: str
    """Whose episodes they are: `seeding.Purpose`, by name in lower case."""
    seed: int
    """That all of the episodes' seeds come from."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What Blue sees at a moment."""

    table: dict[str, tuple[str, str]]
    """By host: activity in the last step and condition (`facts.table`), unless they are `None` and `No`."""
    memory: tuple[str, ...]
    """What a policy with a memory sees besides, as names of the bits that are 1 (`seen.MEMORY_NAMES`)."""


@dataclass(frozen=True, slots=True)
class BlueMove:
    """What Blue saw, and what it did."""

    saw: Seen
    choice: str
    """What was chosen, among the actions that the agent has: `Decoy User2`, say."""
    action: str
    """What that was in the game, as CybORG calls it: `DecoyFemitter User2`."""
    probability: float | None
    """Of the choice, by the agent's policy, to six digits; None of an agent that has none."""
    likeliest: dict[str, float]
    """The same of the `blue.NUM_LIKELIEST` likeliest choices, the likeliest first; no choice of probability 0."""
    success: bool | None
    """As CybORG reports it; None if it reports neither success nor failure (Sleep)."""
    verdict: Verdict | None
    """By the policy's workflow; None of an agent that follows none."""


@dataclass(frozen=True, slots=True)
class RedMove:
    """What Red did."""

    action: str
    """CybORG's name for the kind: `ExploitRemoteService`."""
    target: str | None
    """Host, or subnet of a sweep; None if it was aimed at nothing."""
    success: bool | None
    """As Blue's."""


@dataclass(frozen=True, slots=True)
class Reward:
    """What the step cost Blue, in points, 0 or less."""

    total: float
    """The environment's own: the sum of all below."""
    action: float
    """For Blue's Restore, needed or not."""
    confidentiality: dict[str, float]
    """By host: for a privileged session of Red's."""
    availability: dict[str, float]
    """By host: for a service that is down."""


@dataclass(frozen=True, slots=True)
class Network:
    """What is the case after the step, whether Blue knows of it or not."""

    sessions: dict[str, tuple[str, ...]]
    """By host under Red: `User` or `Privileged` for each of its sessions, the oldest first."""
    decoys: dict[str, tuple[str, ...]]
    """By host: those that stand, by the action that placed them, in that order."""
    known: tuple[str, ...]
    """Hosts whose address Red knows."""
    scanned: tuple[str, ...]
    """Hosts that it has scanned, with a result."""
    ot_service_up: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A step: Blue moves, then Red."""

    blue: BlueMove
    red: RedMove
    reward: Reward
    network: Network


@dataclass(frozen=True, slots=True)
class Trace:
    """An episode."""

    __pydantic_config__ = CHECKED

    red_agent: str
    group: int
    """Which episodes it is counted with (`seeding.episode_seeds`): a scenario's, or a workflow's."""
    index: int
    """Among these, from 0."""
    environment_seed: int
    """What the game's generator was seeded with, as by `random.seed`."""
    actions_seed: int
    """What a sampled policy's uniform numbers come from (`seeding.uniforms`)."""
    total_reward: float
    """Of all steps, in points."""
    compliance: float | None
    """0 to 1; None of an agent that follows no workflow."""
    addresses: dict[str, str]
    """By host."""
    subnets: dict[str, str]
    """By name: the range of addresses."""
    steps: tuple[Step, ...]
    last_saw: Seen
    """What Blue saw after the last step."""

    def saw_after(self, index: int) -> Seen:
        """Return what Blue was shown of a step, by the step's index from 0."""
        return self.steps[index + 1].blue.saw if index + 1 < len(self.steps) else self.last_saw


def as_line(value: Header | Trace) -> str:
    """Return a line of a file, with its end."""
    return json.dumps(value, default=_fields, separators=(",", ":"), allow_nan=False) + "\n"


def _fields(part: Any) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in fields(part)}
