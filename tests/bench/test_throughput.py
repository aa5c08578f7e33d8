"""The bench runs, small, and prints what it promises. What it measures is nobody's test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Measured, MistakeTold


@pytest.mark.usefixtures("in_this_process")
def test_the_prototypes_way_is_measured_beside_ours(measured: Measured) -> None:
    assert_measures(measured, "cyborg", "shm,prototype")


def test_it_measures_what_is_asked_for(measured: Measured) -> None:
    """Each in a process of its own, as always."""
    assert_measures(measured, "fast", "shm,pickle")


def assert_measures(measured: Measured, engine: str, methods: str) -> None:
    small = ("--workers=1", "--episodes=1", "--rounds=1", "--warm-up=0")
    rows = measured("throughput", f"--engine={engine}", f"--methods={methods}", *small)["rows"]
    assert [row["method"] for row in rows] == methods.split(",")
    for row in rows:
        assert row["engine"] == engine
        assert row["episodes_per_s"] > 0
        assert {"workers", "first_episode_s", "pss_bytes", "serialization_us_per_episode"} <= row.keys()
    shm, other = rows
    assert shm["pickled_bytes_per_episode"] < other["pickled_bytes_per_episode"] / 100
    if other["method"] == "pickle":  # a task's slots come back as they are
        assert 1.0 <= other["pickled_bytes_to_parent"] / shm["shared_bytes_per_episode"] < 1.01


@pytest.mark.parametrize(
    ("argument", "told"), [("--workers=0", "at least 1"), ("--warm-up=nan", "--warm-up is 0 or more")]
)
def test_a_mistake_is_told(mistake_told: MistakeTold, argument: str, told: str) -> None:
    (error,) = mistake_told("throughput", argument)
    assert error.startswith("error: ")
    assert told in error
