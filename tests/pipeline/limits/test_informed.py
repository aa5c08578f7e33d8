from __future__ import annotations

from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts.spec import ACTION_NAMES, HOST_NAMES, SLEEP
from pipeline.limits.informed import next_decoy


def test_decoys_that_help_most_come_first_and_useless_ones_never() -> None:
    batch = GameBatch(1, "SleepAgent")
    batch.reset([0])
    user2, user4, enterprise0 = (HOST_NAMES.index(name) for name in ("User2", "User4", "Enterprise0"))
    placed = []
    while (action := next_decoy(batch.games[0], (user4, user2, enterprise0))) != SLEEP:
        placed.append(ACTION_NAMES[action])
        batch.step(action)
    assert placed[0] in ("DecoyApache User2", "DecoyFemitter User2", "DecoyTomcat User2")  # not SSHD
    assert {name.split()[1] for name in placed[:4]} == {"User2"}
    assert {name.split()[0] for name in placed[4:]} == {"DecoyApache", "DecoyHarakaSMPT", "DecoyTomcat"}
    assert {name.split()[1] for name in placed[4:]} == {"Enterprise0"}
