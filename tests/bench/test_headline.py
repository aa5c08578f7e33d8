from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Measured, MistakeTold


def test_it_plays_what_a_run_names(measured: Measured) -> None:
    (run,) = measured("headline", "--seeds=1", "--episodes=900", "--red-agents=B_lineAgent", "--jobs=1")["runs"]
    assert (run["row"], run["red_agent"], run["seed"]) == ("default", "B_lineAgent", 0)
    assert -60 < run["greedy"] < -12  # a policy that does nothing is at -1135, and none was ever seen above -12
    assert 0.9 < run["compliance"] <= 1
    assert run["num_observed"] >= 1


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--rows=best", "unknown row best: choose from default"),
        ("--red-agents=Mixed", "unknown Red agent Mixed: choose from B_lineAgent"),
        ("--seeds=0", "take 1 or more"),
    ],
)
def test_a_mistake_is_told_in_one_line(mistake_told: MistakeTold, argument: str, told: str) -> None:
    (error,) = mistake_told("headline", argument)
    assert error.startswith("error: ")
    assert told in error
