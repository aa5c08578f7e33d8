"""A `View` of a game that CybORG plays, read where the simulator keeps things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.images import OT_SERVICE, PRIVILEGED_USERS
from pipeline.cage2.show.view import Addresses, Session, View, assemble

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.cage2.cyborg.env import CyborgEnv

_DECOY_OF_PROCESS = {
    "apache2": "DecoyApache",
    "femitter": "DecoyFemitter",
    "haraka": "DecoyHarakaSMPT",
    "Smss.exe": "DecoySmss",
    "Sshd.exe": "DecoySSHD",
    "Svchost.exe": "DecoySvchost",
    "Tomcat.exe": "DecoyTomcat",
    "vsftpd": "DecoyVsftpd",
}
"""What CybORG calls the process of each decoy."""


def cyborg_view(env: CyborgEnv, observation: npt.NDArray[np.int8], num_steps: int, blue_action: int) -> View:
    """Return a view of a game.

    Args:
        env: The game, after a reset.
        observation: `[52]`, of the last step or reset.
        num_steps: Played since the reset.
        blue_action: The last one; of no matter after a reset.
    """
    simulator = env.simulator
    address_of = {host: address for address, host in simulator.ip_addresses.items()}
    subnet_of = {str(cidr): name for name, cidr in simulator.subnet_name_to_cidr.items()}
    op_server = simulator.hosts[spec.HOST_NAMES[spec.OP_SERVER_INDEX]]
    known = env.red.action_space.get_action_space()["ip_address"]
    scanned = simulator.sessions["Red"][0].ports
    red_action, red_target = _red_action(env.red_action, simulator.ip_addresses, subnet_of)
    return assemble(
        observation=observation,
        sessions=[
            [_session(simulator.sessions["Red"][ident]) for ident in simulator.hosts[name].sessions.get("Red", ())]
            for name in spec.HOST_NAMES
        ],
        decoys=[
            [_DECOY_OF_PROCESS[process.name] for process in simulator.hosts[name].processes if process.decoy_type]
            for name in spec.HOST_NAMES
        ],
        known=sum(1 << i for i, name in enumerate(spec.HOST_NAMES) if known[address_of[name]]),
        scanned=sum(1 << i for i, name in enumerate(spec.HOST_NAMES) if address_of[name] in scanned),
        addresses=Addresses(
            tuple(str(address_of[name]) for name in spec.HOST_NAMES),
            tuple(str(simulator.subnet_name_to_cidr[subnet.name]) for subnet in spec.SUBNETS),
        ),
        num_steps=num_steps,
        blue_action=blue_action,
        blue_success=env.blue_success,
        red_action=red_action,
        red_target=red_target,
        red_success=env.red_success,
        ot_service_up=any(process.name == OT_SERVICE for process in op_server.processes),
    )


def listening_ports(env: CyborgEnv) -> list[set[int]]:
    """Return, for each host, the ports that something listens on, and not those of connections."""
    return [
        {
            connection["local_port"]
            for process in env.simulator.hosts[name].processes
            for connection in process.connections
            if "remote_port" not in connection
        }
        for name in spec.HOST_NAMES
    ]


def _session(session: Any) -> Session:
    return Session(session.pid, session.username in PRIVILEGED_USERS)


def _red_action(action: Any, host_of: dict[Any, str], subnet_of: dict[str, str]) -> tuple[str, str | None]:
    """Return the kind and the target of one of CybORG's actions, by name."""
    target = None
    if hasattr(action, "ip_address"):
        target = host_of[action.ip_address]
    elif hasattr(action, "hostname"):
        target = action.hostname
    elif hasattr(action, "subnet"):
        target = subnet_of[str(action.subnet)]
    return type(action).__name__, target
