from __future__ import annotations

import pytest

from pipeline.cage2.attackers.choice import TARGETS, NoChoiceError, require_choice
from pipeline.cage2.engine import red
from pipeline.cage2.facts import spec


def test_it_is_what_the_engine_carries_out() -> None:
    assert tuple(TARGETS) == red.ACTIONS
    subnets = tuple(subnet.name for subnet in spec.SUBNETS)
    for targets, places in zip(TARGETS.values(), red.TARGETS, strict=True):
        names = subnets if places == red.TARGETS[red.SWEEP] else spec.HOST_NAMES
        assert targets == tuple(None if place == red.NO_TARGET else names[place] for place in places)


def test_every_action_on_every_target_passes() -> None:
    for action, targets in TARGETS.items():
        assert [require_choice((action, target)) for target in targets] == [(action, target) for target in targets]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (None, "returned None, not a tuple of an action and its target"),
        (["Sleep", None], r"returned \['Sleep', None\], not a tuple"),
        (("Sleep",), r"returned \('Sleep',\), not a tuple"),
        (("Nap", None), "chose 'Nap': Red's actions are Sleep, "),
        (([], None), r"chose \[\]: Red's actions"),
        (("Sleep", "User0"), "aimed Sleep at 'User0', not at None"),
        (("Impact", "User0"), "aimed Impact at 'User0', not at Op_Server0"),
        (("DiscoverRemoteSystems", None), "aimed DiscoverRemoteSystems at None, not at Enterprise, Operational, User"),
        (("PrivilegeEscalate", 3), "aimed PrivilegeEscalate at 3: targets are names"),
        (("PrivilegeEscalate", []), r"aimed PrivilegeEscalate at \[\]: targets are names"),
    ],
)
def test_all_else_is_refused(chosen: object, told: str) -> None:
    with pytest.raises(NoChoiceError, match=told):
        require_choice(chosen)
