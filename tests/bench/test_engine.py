from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Rows


def test_it_measures_every_way_to_step(rows_of: Rows) -> None:
    measured = rows_of("engine.py", "--seconds=0.01", "--red=B_lineAgent")
    ways = {"cyborg", "cyborg-wrapped", "fast", "fast-gymnasium", "fast-own-red", "play-out"}
    assert {row["engine"] for row in measured} == ways
    assert {"engine", "red_agent", "batch", "policy", "steps_per_s"} <= measured[0].keys()
