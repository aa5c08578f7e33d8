"""CAGE Challenge 2's own Scenario 2, read from its files, and compared with the project's.

The files are those of the repository cage-challenge-2: `Scenario2.yaml` and `images/` beside it, in
`CybORG/CybORG/Shared/Scenarios`. The project has none of them.
"""

from __future__ import annotations

import copy
import hashlib
import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from pipeline.cage2.cyborg.env import load_cyborg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Scenario = dict[str, Any]

REASONS = {
    "Agents/Blue/INT/Hosts/*/User info": "what Blue is told of accounts at the start is in no table of its",
    "Agents/Green/INT/*": "what Green is told at the start: it sleeps",
    "Agents/Green/actions*": "what Green might do: it sleeps",
    "Agents/*/starting_sessions/*/name": "only a client names its server, and it names the same one",
    "Agents/Blue/starting_sessions/0/num_children_sessions": "read by nothing",
    "Hosts/*/AWS_Info": "for games on real machines",
    "Hosts/Enterprise?/AvailabilityValue": "costs only where the OT service runs",
    "Hosts/Op_Host?/AvailabilityValue": "costs only where the OT service runs",
    "Hosts/Defender/AvailabilityValue": "costs only where the OT service runs",
    "Hosts/*/User Info/*/Groups/*": "of accounts only their names and whether they can be guessed are asked for",
    "Hosts/*/User Info/*/UID": "of accounts only their names and whether they can be guessed are asked for",
    "Hosts/*/User Info/*/Password": "of accounts only their names and whether they can be guessed are asked for",
    "Hosts/*/Processes/*/PPID": "shown with the process, and looked at by no agent",
    "Hosts/*/Processes/*/Path": "shown with the process, and looked at by no agent",
    "Hosts/*/Connections/*/Transport Protocol": "CybORG looks for it under another name, and so doesn't find it",
}
"""Why fields may differ, by the pattern of their paths (`fields`). What none of them covers has to be equal."""


MISSING = "(none)"
"""The value of a field that isn't there."""


class Difference(NamedTuple):
    """A field in which two scenarios differ."""

    path: str
    ours: Any
    theirs: Any
    reason: str | None
    """Why that can't matter; None if it may."""


def read_scenario(folder: Path) -> Scenario:
    """Return the scenario with its host images filled in, as CybORG does it, and as `Main` takes it.

    Raises:
        FileNotFoundError: `folder` is not that of the challenge's scenarios.
    """
    scenario: Scenario = yaml.safe_load((folder / "Scenario2.yaml").read_text())
    images = yaml.safe_load((folder / "images" / "images.yaml").read_text())
    for host in scenario["Hosts"].values():
        image = folder / "images" / f"{images[host.pop('image')]['path']}.yaml"
        host.update(yaml.safe_load(image.read_text())["Test_Host"])
    return scenario


def fields(scenario: Scenario) -> dict[str, Any]:
    """Return what CybORG reads in a scenario, by path, such as `Hosts/User3/Processes/0/PID`.

    Beside the fields it has the order of agents, hosts and subnets, `Hosts/(order)`, which CybORG goes through; in all
    other dictionaries it looks names up. Sessions stand in the order in which they are started, and what is only asked
    for membership, in order. What CybORG reads where a field is missing is filled in.
    """
    load_cyborg("csle")
    from csle_cyborg.shared.enums import ProcessType

    read = copy.deepcopy(scenario)
    for name, agent in read["Agents"].items():
        sessions = agent["starting_sessions"]
        sessions.sort(key=lambda session: "parent" in session)
        for session in sessions:
            if "parent" in session:
                session["parent"] = [server["name"] for server in sessions].index(session["parent"])
        agent["AllowedSubnets"].sort()
        if name != "Blue":  # whose actions are numbered as they are listed
            agent["actions"].sort()
    for host in read["Hosts"].values():
        host.setdefault("info", {})
        host.setdefault("ConfidentialityValue", "Low")
        host.setdefault("AvailabilityValue", "Low")
        for account in host["User Info"]:
            account.setdefault("Bruteforceable", False)
        for process in host["Processes"]:
            declared = process.get("Process Type", process["Process Name"])
            process["Process Type"] = ProcessType.parse_string(declared).name
            process["Properties"] = "rfi" in (process.get("Properties") or ())
    orders = {f"{name}/(order)": list(read[name]) for name in ("Agents", "Hosts", "Subnets")}
    return orders | dict(_leaves(read, ""))


def digest(scenario: Scenario) -> str:
    """Return 16 hexadecimal digits of all fields for which there is no reason why they may differ."""
    matter = sorted((path, value) for path, value in fields(scenario).items() if _reason(path) is None)
    return hashlib.sha256(json.dumps(matter).encode()).hexdigest()[:16]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}{key}/")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}{index}/")
    else:
        yield path.rstrip("/"), value


def differences(ours: Scenario, theirs: Scenario) -> list[Difference]:
    """Return where two scenarios differ in what CybORG reads, and why that can't matter."""
    mine, yours = fields(ours), fields(theirs)
    return [
        Difference(path, mine.get(path, MISSING), yours.get(path, MISSING), _reason(path))
        for path in dict.fromkeys([*mine, *yours])
        if mine.get(path, MISSING) != yours.get(path, MISSING)
    ]


def _reason(path: str) -> str | None:
    return next((reason for pattern, reason in REASONS.items() if fnmatchcase(path, pattern)), None)
