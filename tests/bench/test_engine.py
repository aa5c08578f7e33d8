from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Measured


def test_it_measures_every_way_to_step(measured: Measured) -> None:
    rows = measured("engine", "--seconds=0.01", "--red=B_lineAgent")["rows"]
    ways = {"cyborg", "cyborg-wrapped", "fast", "fast-gymnasium", "fast-own-red", "play-out"}
    assert {row["engine"] for row in rows} == ways
    assert {"engine", "red_agent", "batch", "policy", "steps_per_s"} <= rows[0].keys()
