"""Scenario 2 as CybORG's dictionary, written from the table in `spec`.

It has what CybORG's simulation acts on. Left out is what it only carries along or never reads: paths, parent
process ids, user ids, groups and passwords, cloud details. `bench/scenario.py` compares it with the challenge's own
files, field by field, and has the reason for each that differs.
"""

from __future__ import annotations

from typing import Any

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.images import OT_SERVICE, OT_SERVICE_PID, Account, Os, Process, ProcessType

_OS_NAMES = {
    Os.LINUX: {"OSType": "LINUX", "OSDistribution": "UBUNTU", "OSVersion": "U18_04_3"},
    Os.WINDOWS: {"OSType": "WINDOWS", "OSDistribution": "WINDOWS_SVR_2008", "OSVersion": "W6_1_7601"},
}

_TYPE_NAMES = {
    ProcessType.SSH: "ssh",
    ProcessType.RDP: "rdp",
    ProcessType.SMB: "smb",
    ProcessType.SMTP: "smtp",
    ProcessType.WEB: "webserver",
    ProcessType.MYSQL: "mysql",
    ProcessType.FEMITTER: "femitter",
}

_CONFIDENTIALITY_NAMES = {0: "None", 1: "Low", 10: "Medium"}
_AVAILABILITY_NAMES = {0: "None", 100: "High"}

_RED_ACTIONS = (
    "Sleep",
    "DiscoverRemoteSystems",
    "DiscoverNetworkServices",
    "ExploitRemoteService",
    *(exploit.name for exploit in spec.EXPLOITS),
    "PrivilegeEscalate",
    "Impact",
)


def cyborg_scenario() -> dict[str, Any]:
    """Return the scenario with its host images filled in, as `csle_cyborg.main.Main` takes it.

    Returns:
        A new dictionary at each call, since CybORG writes into the one that it is given.
    """
    return {
        "Agents": {"Blue": _blue(), "Green": _green(), "Red": _red()},
        "Hosts": {host.name: _host(index) for index, host in enumerate(spec.HOSTS)},
        "Subnets": {subnet.name: _subnet(subnet) for subnet in spec.SUBNETS},
    }


def _blue() -> dict[str, Any]:
    server, *clients = spec.BLUE_SESSIONS
    return {
        **_agent("HybridAvailabilityConfidentiality", ("Sleep", "Monitor", *spec.HOST_ACTIONS)),
        "adversary": "Red",
        "INT": {"Hosts": {name: _everything() for name in spec.HOST_NAMES}},
        "starting_sessions": [
            {
                "name": "Server",
                "hostname": spec.HOST_NAMES[server.host],
                "username": server.user,
                "type": "VelociraptorServer",
                "artifacts": ["NetworkConnections", "ProcessCreation"],
            },
            *(
                {
                    "name": f"Client{number}",
                    "hostname": spec.HOST_NAMES[client.host],
                    "username": client.user,
                    "type": "VelociraptorClient",
                    "parent": "Server",
                }
                for number, client in enumerate(clients)
            ),
        ],
    }


def _green() -> dict[str, Any]:
    return {
        **_agent("None", ("Sleep",)),
        "INT": {"Hosts": {}},
        "starting_sessions": [
            {
                "name": f"Green{number}",
                "hostname": spec.HOST_NAMES[session.host],
                "username": session.user,
                "type": "green_session",
            }
            for number, session in enumerate(spec.GREEN_SESSIONS)
        ],
    }


def _red() -> dict[str, Any]:
    return {
        **_agent("HybridImpactPwn", _RED_ACTIONS),
        "INT": {"Hosts": {spec.HOST_NAMES[spec.RED_FOOTHOLD_INDEX]: _everything()}},
        "starting_sessions": [
            {
                "name": "Foothold",
                "hostname": spec.HOST_NAMES[session.host],
                "username": session.user,
                "type": "RedAbstractSession",
            }
            for session in spec.RED_SESSIONS
        ],
    }


def _agent(reward: str, actions: tuple[str, ...]) -> dict[str, Any]:
    return {
        "agent_type": "SleepAgent",
        "AllowedSubnets": [subnet.name for subnet in spec.SUBNETS],
        "actions": list(actions),
        "reward_calculator_type": reward,
        "wrappers": [],
    }


def _everything() -> dict[str, Any]:
    return {"Interfaces": "All", "System info": "All"}


def _subnet(subnet: spec.Subnet) -> dict[str, Any]:
    rules: dict[str, Any] = {"all": {"in": "all", "out": "all"}}
    if subnet.closed_to_user:
        rules = {"User": {"in": "None", "out": "all"}, **rules}
    return {"Hosts": [spec.HOST_NAMES[host] for host in subnet.hosts], "Size": subnet.size, "NACLs": rules}


def _host(index: int) -> dict[str, Any]:
    host = spec.HOSTS[index]
    found: dict[str, Any] = {}  # what Red learns when it escalates here, in the order of hosts
    if host.reveals_itself:
        found[host.name] = {"Interfaces": "All"}
    if host.linked_host is not None:
        found[spec.HOST_NAMES[host.linked_host]] = {"Interfaces": "IP Address"}
    description = {
        "System info": {**_OS_NAMES[host.image.os], "Architecture": "x64"},
        "User Info": [_account(account) for account in host.image.accounts],
        "Processes": [_process(process) for process in host.image.processes],
        "ConfidentialityValue": _CONFIDENTIALITY_NAMES[host.confidentiality_tenths],
        "AvailabilityValue": _AVAILABILITY_NAMES[host.availability_tenths],
        "info": found,
    }
    if index == spec.OP_SERVER_INDEX:
        description["Services"] = {OT_SERVICE: {"active": True, "PID": OT_SERVICE_PID}}
        found[host.name]["Services"] = [OT_SERVICE]
    return description


def _account(account: Account) -> dict[str, Any]:
    return {"Username": account.name, "Bruteforceable": account.guessable}


def _process(process: Process) -> dict[str, Any]:
    description: dict[str, Any] = {"PID": process.pid, "Process Name": process.name, "Username": process.user}
    if process.ports:
        description["Connections"] = [{"local_address": process.address, "local_port": port} for port in process.ports]
    if process.type is not ProcessType.OTHER:
        description["Process Type"] = _TYPE_NAMES[process.type]
    if process.type is ProcessType.WEB:
        description["Properties"] = ["rfi"]  # without it the web server can't be exploited
    if process.type is ProcessType.SMTP:
        description["Process Version"] = "haraka 2.7.0"  # the last version that HarakaRCE works on
    return description
