"""A scenario that is not the project's: all that can't matter in it is otherwise (`published.REASONS`).

What the challenge's files have and the project's scenario leaves out is there, with values of its own; names and orders
are others, and what CybORG fills in itself is missing.
"""

from __future__ import annotations

from typing import Any

from pipeline.cage2.cyborg.scenario import cyborg_scenario


def other_scenario() -> dict[str, Any]:
    """Return it, as CybORG's `Main` takes it."""
    scenario = cyborg_scenario()
    for agent in scenario["Agents"].values():
        _change_agent(agent)
    blue, green, red = (scenario["Agents"][name] for name in ("Blue", "Green", "Red"))
    for told in blue["INT"]["Hosts"].values():
        told["User info"] = "All"
    green["INT"] = {"Hosts": {name: {"Interfaces": "All", "User info": "All"} for name in scenario["Hosts"]}}
    green["actions"].append("GreenPortScan")
    red["actions"].reverse()
    for name, host in scenario["Hosts"].items():
        _change_host(name, host)
    return {kind: {name: _backwards(entry) for name, entry in entries.items()} for kind, entries in scenario.items()}


def _change_agent(agent: dict[str, Any]) -> None:
    agent["AllowedSubnets"].reverse()
    server, *clients = agent["starting_sessions"]
    for session in (server, *clients):
        session["name"] = "Session of that agent"
    if clients and "parent" in clients[0]:
        server["name"], server["num_children_sessions"] = "The server", 2
        for client in clients:
            client["parent"] = server["name"]
        agent["starting_sessions"] = [*clients, server]


def _change_host(name: str, host: dict[str, Any]) -> None:
    host["AWS_Info"] = []
    if host["ConfidentialityValue"] == "Low":
        del host["ConfidentialityValue"]
    if name.startswith(("Defender", "Op_Host")):
        del host["AvailabilityValue"]
    if name.startswith("Enterprise"):
        host["AvailabilityValue"] = "High"
    if not host["info"]:
        del host["info"]
    for number, account in enumerate(host["User Info"]):
        account.update({"UID": number, "Password": "secret", "Groups": [{"GID": number, "Group Name": "users"}]})
        if not account["Bruteforceable"]:
            del account["Bruteforceable"]
    for number, process in enumerate(host["Processes"]):
        process.update({"PPID": number, "Path": "/usr/sbin"})
        for connection in process.get("Connections", ()):
            connection["Transport Protocol"] = "UDP"
        if process.get("Process Type") in ("ssh", "mysql"):  # which CybORG tells by its name
            del process["Process Type"]
        if "Properties" in process:
            process["Properties"] = "rfi"


def _backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _backwards(inner) for key, inner in reversed(value.items())}
    return [_backwards(inner) for inner in value] if isinstance(value, list) else value
