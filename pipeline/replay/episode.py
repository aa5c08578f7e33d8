"""An episode as it is drawn: all that the picture shows of each moment, as plain values that JSON has words for.

trace (+ the policy's critic) -> views -> frames -> JSON -> static/replay.js
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from pipeline.cage2.blue.interface import REMEMBERED
from pipeline.cage2.facts import spec
from pipeline.replay.moments import FOOTHOLD, views_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cage2.show.view import HostView, View
    from pipeline.replay.fork import Fork
    from pipeline.trace.trace import Header, Seen, Step, Trace, Verdict

FORMAT: Final = 1
"""Of the JSON."""
SUBNETS: Final = ("User", "Enterprise", "Operational")
"""In the order in which Red gets to them."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host at a moment."""

    name: str
    held: str
    """`None`, `User` or `Privileged`: the strongest of Red's sessions."""
    num_sessions: int
    """Red's."""
    taken_for: str
    """One of `table.CONDITIONS`: what Blue takes it for."""
    activity: str
    """One of `table.ACTIVITIES`: what Blue was shown of the last step."""
    decoys: tuple[str, ...]
    known: bool
    """Whether Red knows the address."""
    scanned: bool
    """Whether Red has scanned it, with a result."""
    cost: float
    """What it cost in the last step, in points, 0 or less."""


@dataclass(frozen=True, slots=True)
class Move:
    """What a side did in the last step."""

    action: str
    """CybORG's name for the kind: `Restore`."""
    target: str | None
    """A host, or a subnet; None if it was aimed at nothing."""
    success: bool | None
    """As CybORG reports it; None if it reports neither."""


@dataclass(frozen=True, slots=True)
class Thought:
    """How the policy decides at a moment."""

    choice: str
    """What it chooses next, among the actions that it has."""
    action: str
    """What that is in the game."""
    probability: float | None
    """Of the choice; None of an agent that has none."""
    likeliest: tuple[tuple[str, float], ...]
    """The likeliest choices, at most ten, the likeliest first."""
    value: float | None
    """What the critic expects from here on, in points; None where there is no critic."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A moment: the beginning, or what came of a step."""

    step: int
    """Steps played, 0 at the beginning."""
    blue: Move | None
    """None at the beginning, as for Red."""
    red: Move | None
    verdict: Verdict | None
    """On Blue's move; None at the beginning, and of agents that follow no workflow."""
    reward: float
    """Of the last step, in points."""
    action_cost: float
    """The part of it that is for Blue's Restore."""
    total: float
    """Of all steps so far, in points."""
    hosts: tuple[Host, ...]
    """`[13]`, in the order of the observation."""
    ot_service_up: bool
    remembers: dict[str, tuple[str, ...]]
    """What a policy with a memory sees besides its table, by kind (`interface.REMEMBERED`)."""
    thought: Thought | None
    """None at the end."""
    blue_table: str
    """What Blue knows, as CybORG prints it."""
    true_table: str
    """What is the case, as CybORG prints it."""


@dataclass(frozen=True, slots=True)
class Replay:
    """An episode, complete."""

    replay_format: int
    agent: dict[str, str | int | dict[str, str]]
    """Who plays: `trace.Header.agent`."""
    game: dict[str, str]
    """`engine`, `profile` and `cyborg`."""
    which: str
    """Which episode it is, and with which weights it was played, in words."""
    again: str
    """What to type to see it again."""
    red_agent: str
    environment_seed: str
    """Digits: JavaScript's numbers end at 2**53."""
    num_steps: int
    total_reward: float
    compliance: float | None
    subnets: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Name, range and hosts, in the order in which Red gets to them."""
    addresses: dict[str, str]
    """By host."""
    foothold: str
    """The host that Red begins on, and can't be driven off."""
    actions: tuple[str, ...]
    """What the agent can choose, where other choices can be tried; else empty."""
    value_is: str | None
    """What a `Thought.value` is, in words; None where there is none."""
    no_fork: str | None
    """Why other choices can't be tried here; None if they can."""
    frames: tuple[Frame, ...]
    """`[T + 1]`."""
    forks: tuple[Fork, ...] = field(default=())
    """What was tried already."""


@dataclass(frozen=True, slots=True)
class Insight:
    """What is known of the agent beside what it did."""

    value_of: Callable[[Seen], float] | None = None
    """Returns what its critic expects, in points."""
    value_is: str | None = None
    """What that is, in words."""
    actions: tuple[str, ...] = ()
    """See `Replay.actions`."""
    no_fork: str | None = None
    """See `Replay.no_fork`."""


def replay_of(header: Header, trace: Trace, insight: Insight, *, which: str, again: str) -> Replay:
    """Return an episode as it is drawn.

    Args:
        header: Who played which game.
        trace: The episode.
        insight: What is known of the agent besides.
        which: See `Replay`.
        again: See `Replay`.

    Raises:
        ReplayError: It can't be shown; see `moments.views_of`.
    """
    views = views_of(trace)
    cidr_of = {host.subnet: host.cidr for host in views[0].hosts}
    hosts_of = {subnet.name: tuple(sorted(spec.HOST_NAMES[host] for host in subnet.hosts)) for subnet in spec.SUBNETS}
    return Replay(
        replay_format=FORMAT,
        agent=header.agent,
        game=header.game,
        which=which,
        again=again,
        red_agent=trace.red_agent,
        environment_seed=str(trace.environment_seed),
        num_steps=len(trace.steps),
        total_reward=trace.total_reward,
        compliance=trace.compliance,
        subnets=tuple((name, cidr_of[name], hosts_of[name]) for name in SUBNETS),
        addresses={host.name: host.address for host in views[0].hosts},
        foothold=FOOTHOLD,
        actions=insight.actions,
        value_is=insight.value_is,
        no_fork=insight.no_fork,
        frames=_frames(trace, views, insight.value_of),
    )


def as_json(value: Any) -> str:
    """Return a replay, a fork, or what has some in it, as JSON: the same for the same."""
    return json.dumps(value, default=_fields, separators=(",", ":"), allow_nan=False)


def _fields(part: Any) -> dict[str, Any]:
    return {each.name: getattr(part, each.name) for each in fields(part)}  # `asdict` copies all that is below, slowly


def _frames(trace: Trace, views: tuple[View, ...], value_of: Callable[[Seen], float] | None) -> tuple[Frame, ...]:
    frames, tenths = [], 0
    for number, view in enumerate(views):
        step = trace.steps[number - 1] if number else None
        following = trace.steps[number] if number < len(trace.steps) else None
        seen = following.blue.saw if following else trace.last_saw
        tenths += round(10 * step.reward.total) if step else 0
        frames.append(
            Frame(
                step=number,
                blue=Move(*_parts(step.blue.action), step.blue.success) if step else None,
                red=Move(step.red.action, step.red.target, step.red.success) if step else None,
                verdict=step.blue.verdict if step else None,
                reward=step.reward.total if step else 0.0,
                action_cost=step.reward.action if step else 0.0,
                total=tenths / 10,
                hosts=tuple(_host(host, step) for host in view.hosts),
                ot_service_up=view.ot_service_up,
                remembers=_by_kind(seen),
                thought=_thought(following, seen, value_of) if following else None,
                blue_table=view.blue_table(),
                true_table=view.true_table(),
            )
        )
    return tuple(frames)


def _thought(step: Step, seen: Seen, value_of: Callable[[Seen], float] | None) -> Thought:
    blue = step.blue
    value = None if value_of is None else round(value_of(seen), 2)
    return Thought(blue.choice, blue.action, blue.probability, tuple(blue.likeliest.items()), value)


def _host(host: HostView, step: Step | None) -> Host:
    reward = step.reward if step else None
    parts = (reward.confidentiality, reward.availability) if reward else ()
    return Host(
        name=host.name,
        held="Privileged" if host.privileged else "User" if host.sessions else "None",
        num_sessions=len(host.sessions),
        taken_for=host.compromised,
        activity=host.activity,
        decoys=host.decoys,
        known=host.known,
        scanned=host.scanned,
        cost=sum(round(10 * part.get(host.name, 0.0)) for part in parts) / 10,
    )


def _by_kind(seen: Seen) -> dict[str, tuple[str, ...]]:
    """Return the names of a memory's bits by kind: `suspects User1` under `suspects`."""
    parts = [name.partition(" ") for name in seen.memory]
    return {
        kind: tuple(what for of, _, what in parts if of == kind) for kind in REMEMBERED if kind in {p[0] for p in parts}
    }


def _parts(action: str) -> tuple[str, str | None]:
    kind, _, host = action.partition(" ")
    return kind, host or None
