"""The project's scenario is the challenge's in all that matters, and what is said not to matter does not."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.cyborg.scenario import cyborg_scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

CHALLENGES_DIGEST = "d6fe2047cd662400"
"""Of the challenge's own files, as `bench/scenario.py` prints it."""


def test_what_matters_is_as_in_the_challenges_files(fidelity: ModuleType) -> None:
    assert fidelity.published.digest(cyborg_scenario()) == CHALLENGES_DIGEST


def test_the_other_scenario_tries_every_reason(fidelity: ModuleType, other_scenario: dict[str, Any]) -> None:
    found = fidelity.published.differences(cyborg_scenario(), other_scenario)
    assert [difference for difference in found if difference.reason is None] == []
    for pattern in fidelity.published.REASONS:
        assert any(fnmatchcase(difference.path, pattern) for difference in found), pattern
    assert fidelity.published.digest(other_scenario) == CHALLENGES_DIGEST


def other_address(scenario: dict[str, Any]) -> None:
    scenario["Hosts"]["Defender"]["Processes"][-1]["Connections"][0]["local_address"] = "0.0.0.0"  # noqa: S104


def other_order(scenario: dict[str, Any]) -> None:
    scenario["Hosts"] = dict(reversed(scenario["Hosts"].items()))


def other_password(scenario: dict[str, Any]) -> None:
    scenario["Hosts"]["Op_Host1"]["User Info"][0]["Bruteforceable"] = True


def other_server(scenario: dict[str, Any]) -> None:
    scenario["Agents"]["Blue"]["starting_sessions"][0]["hostname"] = "User1"


def one_process_less(scenario: dict[str, Any]) -> None:
    scenario["Hosts"]["User2"]["Processes"].pop()


@pytest.mark.parametrize("change", [other_address, other_order, other_password, other_server, one_process_less])
def test_a_difference_that_may_matter_is_found(
    fidelity: ModuleType, other_scenario: dict[str, Any], change: Callable[[dict[str, Any]], None]
) -> None:
    change(other_scenario)
    found = fidelity.published.differences(cyborg_scenario(), other_scenario)
    assert any(difference.reason is None for difference in found)
    assert fidelity.published.digest(other_scenario) != CHALLENGES_DIGEST
