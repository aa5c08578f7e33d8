from typing import Any

import pytest

from pipeline.cage2.cyborg.env import load_cyborg
from pipeline.cage2.cyborg.scenario import cyborg_scenario
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.images import ProcessType

NAMES = {ProcessType.OTHER: "UNKNOWN", ProcessType.WEB: "WEBSERVER"}


@pytest.fixture(scope="module")
def network() -> Any:
    """The network as CybORG builds it from the dictionary."""
    cyborg = load_cyborg("csle")
    return cyborg.main(cyborg.scenario, "sim").environment_controller.state


def test_each_call_makes_another_dictionary() -> None:
    first = cyborg_scenario()
    first["Hosts"]["User0"]["Processes"].clear()
    first["Agents"]["Blue"]["INT"]["Hosts"]["User0"]["Sessions"] = "Blue"
    assert cyborg_scenario() != first
    assert cyborg_scenario() == cyborg_scenario()


def test_cyborg_reads_the_processes_as_they_are_meant(network: Any) -> None:
    assert tuple(network.hosts) == spec.HOST_NAMES
    for host in spec.HOSTS:
        built = network.hosts[host.name].processes[: len(host.image.processes)]
        assert [process.pid for process in built] == [process.pid for process in host.image.processes]
        for process, fact in zip(built, host.image.processes, strict=True):
            assert process.process_type.name == NAMES.get(fact.type, fact.type.name)
            assert tuple(connection["local_port"] for connection in process.connections) == fact.ports
            assert {str(connection["local_address"]) for connection in process.connections} <= {fact.address}
            assert (process.user in {"root", "SYSTEM"}) is fact.privileged


def test_cyborg_starts_the_sessions_in_order(network: Any) -> None:
    for agent, facts in (
        ("Blue", spec.BLUE_SESSIONS),
        ("Green", spec.GREEN_SESSIONS),
        ("Red", spec.RED_SESSIONS),
    ):
        started = [(session.host, session.username) for session in network.sessions[agent].values()]
        assert started == [(spec.HOST_NAMES[fact.host], fact.user) for fact in facts]


def test_a_process_of_its_own_stands_behind_every_session(network: Any) -> None:
    for index, host in enumerate(spec.HOSTS):
        num_sessions = sum(session.host == index for session in spec.STARTING_SESSIONS)
        assert len(network.hosts[host.name].processes) == len(host.image.processes) + num_sessions


def test_only_operational_is_closed() -> None:
    closed = {name for name, subnet in cyborg_scenario()["Subnets"].items() if "User" in subnet["NACLs"]}
    assert closed == {"Operational"}
