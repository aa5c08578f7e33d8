from __future__ import annotations

from pipeline.contest.scenarios import SCENARIOS


def test_the_nine_scenarios_are_in_the_order_of_the_script() -> None:
    assert SCENARIOS[:4] == (
        ("B_lineAgent", 30),
        ("RedMeanderAgent", 30),
        ("SleepAgent", 30),
        ("B_lineAgent", 50),
    )
    assert len(SCENARIOS) == 9
