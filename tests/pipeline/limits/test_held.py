from __future__ import annotations

from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.red import ESCALATE, EXPLOIT, SCAN
from pipeline.cage2.facts.spec import HOST_NAMES, REMOVE, RESTORE, SLEEP
from pipeline.limits.exploits import NONE, PRIVILEGED, REMOVABLE, UNREMOVABLE
from pipeline.limits.held import level_on


def test_a_level_says_what_ends_the_sessions() -> None:
    enterprise1 = HOST_NAMES.index("Enterprise1")
    met = set()
    for seed in range(60):
        batch = GameBatch(1, "SleepAgent")
        batch.reset([seed])
        batch.step(SLEEP, [[SCAN, enterprise1]])
        assert level_on(batch.games[0], batch.lists[0], enterprise1) == NONE
        batch.step(SLEEP, [[EXPLOIT, enterprise1]])
        level = level_on(batch.games[0], batch.lists[0], enterprise1)
        met.add(level)
        for action, ended in ((REMOVE, (NONE, REMOVABLE)), (RESTORE, (NONE, REMOVABLE, UNREMOVABLE, PRIVILEGED))):
            after = batch.branch(1)
            after.step(action + enterprise1, [[SCAN, enterprise1]])
            assert (level_on(after.games[0], after.lists[0], enterprise1) == NONE) == (level in ended)
        if level != NONE:
            batch.step(SLEEP, [[ESCALATE, enterprise1]])
            assert level_on(batch.games[0], batch.lists[0], enterprise1) == PRIVILEGED
    assert met == {NONE, REMOVABLE, UNREMOVABLE, PRIVILEGED}
