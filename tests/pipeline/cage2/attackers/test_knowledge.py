from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pipeline.cage2.attackers.choice import TARGETS
from pipeline.cage2.attackers.knowledge import Deeds, Knowledge, is_known
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.red_side import look

if TYPE_CHECKING:
    from pipeline.cage2.attackers.choice import Choice


def at_the_start() -> Knowledge:
    env = FastEnv("SleepAgent")
    env.reset(0)
    return look(env.batch.games[0], Deeds())


def test_red_begins_with_its_foothold() -> None:
    knowledge = at_the_start()
    assert (knowledge.step, knowledge.last, knowledge.success) == (1, ("Sleep", None), None)
    assert (knowledge.subnets, knowledge.addresses, knowledge.names) == (("User",), ("User0",), ("User0",))
    assert (knowledge.exploited, knowledge.privileged) == (frozenset(), {"User0"})
    assert (knowledge.ports, knowledge.ot_service, knowledge.listed) == ({}, False, False)


def test_only_successes_count_and_nothing_takes_them_back() -> None:
    deeds = Deeds()
    deeds.note(("ExploitRemoteService", "User1"), success=True)
    deeds.note(("ExploitRemoteService", "User2"), success=False)
    deeds.note(("PrivilegeEscalate", "User1"), success=True)
    deeds.note(("PrivilegeEscalate", "User1"), success=False)
    deeds.note(("DiscoverNetworkServices", "User4"), success=True)
    assert deeds.exploited == {"User1"}
    assert deeds.privileged == {"User0", "User1"}
    assert (deeds.num_steps, deeds.last, deeds.success) == (5, ("DiscoverNetworkServices", "User4"), True)


def test_what_red_knows_it_may_aim_at() -> None:
    knowledge = at_the_start()
    known: list[Choice] = [(a, t) for a, targets in TARGETS.items() for t in targets if is_known(knowledge, (a, t))]
    assert known == [
        ("Sleep", None),
        ("DiscoverRemoteSystems", "User"),
        ("DiscoverNetworkServices", "User0"),
        ("ExploitRemoteService", "User0"),
        ("PrivilegeEscalate", "User0"),
    ]


def test_the_lists_are_copies() -> None:
    env = FastEnv("B_lineAgent")
    env.reset(0)
    for _ in range(6):
        env.step(random.Random(0).randrange(2))  # noqa: S311 - a game, no secret
    before = look(env.batch.games[0], Deeds())
    before.ports.clear()
    assert look(env.batch.games[0], Deeds()).ports
