"""The moments of an episode that was written down: what there is to know of the game at each, as a `View`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.table import ACTIVITIES, CONDITIONS
from pipeline.cage2.show.view import HostView, Session, View
from pipeline.printable import shown
from pipeline.replay.errors import ReplayError
from pipeline.trace.trace import Network

if TYPE_CHECKING:
    from pipeline.trace.trace import Seen, Trace

FOOTHOLD: Final = spec.HOST_NAMES[spec.RED_FOOTHOLD_INDEX]
BEGINNING: Final = Network(
    sessions={FOOTHOLD: ("Privileged",)}, decoys={}, known=(FOOTHOLD,), scanned=(), ot_service_up=True
)
"""What is the case before the first step of any episode."""
MAX_STEPS: Final = spec.MAX_EPISODE_STEPS
"""Of an episode that is shown."""
_NO_PID: Final = 0
_CLEAN: Final = ("None", "No")


def views_of(trace: Trace) -> tuple[View, ...]:
    """Return the moments of an episode: its beginning, and what came of each of its `T` steps.

    They are what the engine's, or CybORG's, own view is, but for the process ids of Red's sessions: traces have none.

    Returns:
        `[T + 1]`.

    Raises:
        ReplayError: The episode is longer than `MAX_STEPS`, or can't be one of this game's.
    """
    if len(trace.steps) > MAX_STEPS:
        raise ReplayError(f"an episode of {len(trace.steps):,} steps: at most {MAX_STEPS:,} are shown")
    first = trace.steps[0].blue.saw if trace.steps else trace.last_saw
    views = [View(_hosts(trace, BEGINNING, first), 0, None, None, None, None, None, ot_service_up=True)]
    for index, step in enumerate(trace.steps):
        views.append(
            View(
                hosts=_hosts(trace, step.network, trace.saw_after(index)),
                num_steps=index + 1,
                blue_action=_action(step.blue.action),
                blue_success=step.blue.success,
                red_action=step.red.action,
                red_target=step.red.target,
                red_success=step.red.success,
                ot_service_up=step.network.ot_service_up,
            )
        )
    return tuple(views)


def _hosts(trace: Trace, network: Network, seen: Seen) -> tuple[HostView, ...]:
    for what in (trace.addresses, network.sessions, network.decoys, network.known, network.scanned, seen.table):
        if strangers := sorted(set(what) - set(spec.HOST_NAMES)):
            raise ReplayError(f"there is no host {shown(strangers[0])} in this game")
    hosts = []
    for host in spec.HOSTS:
        activity, condition = seen.table.get(host.name, _CLEAN)
        if activity not in ACTIVITIES or condition not in CONDITIONS:
            raise ReplayError(f"Blue's table never says {shown(activity)}, {shown(condition)}")
        sessions = network.sessions.get(host.name, ())
        hosts.append(
            HostView(
                name=host.name,
                subnet=host.subnet,
                address=trace.addresses.get(host.name, "?"),
                cidr=trace.subnets.get(host.subnet, "?"),
                sessions=tuple(Session(_NO_PID, session == "Privileged") for session in sessions),
                decoys=network.decoys.get(host.name, ()),
                known=host.name in network.known,
                scanned=host.name in network.scanned,
                activity=activity,
                compromised=condition,
            )
        )
    return tuple(hosts)


def _action(name: str) -> int:
    try:
        return spec.ACTION_NAMES.index(name)
    except ValueError:
        raise ReplayError(f"Blue has no action {shown(name)}") from None
