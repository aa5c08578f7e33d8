"""What is read of CybORG besides its tables. That all of a view is CybORG's is shown in `test_view`."""

from __future__ import annotations

import pytest

from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.cyborg.view import cyborg_view, listening_ports
from pipeline.cage2.facts import spec


@pytest.fixture(scope="module")
def env() -> CyborgEnv:
    return CyborgEnv("SleepAgent")


def test_ports_are_those_of_services_and_decoys(env: CyborgEnv) -> None:
    env.reset(0)
    expected = [{port for process in host.image.processes for port in process.ports} for host in spec.HOSTS]
    assert listening_ports(env) == expected
    env.step(spec.ACTION_NAMES.index("DecoyApache Enterprise0"))
    assert listening_ports(env)[1] == expected[1] | {80}


@pytest.mark.parametrize("decoy", [decoy.name for decoy in spec.DECOYS])
def test_every_decoy_is_known_by_its_process(env: CyborgEnv, decoy: str) -> None:
    observation = env.reset(0)
    placed = []
    for host, name in enumerate(spec.HOST_NAMES):
        action = spec.ACTION_NAMES.index(f"{decoy} {name}")
        observation, _ = env.step(action)
        placed += cyborg_view(env, observation, host + 1, action).hosts[host].decoys
    assert placed
    assert set(placed) == {decoy}
