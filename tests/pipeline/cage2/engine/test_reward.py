from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.engine.reward import compute_reward
from pipeline.cage2.engine.state import new_games
from pipeline.cage2.facts import spec
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable


@kernel
def reward(games: Any) -> int:
    return compute_reward(games[0])


@given(
    privileged=st.integers(0, 2**spec.NUM_HOSTS - 1),
    ot_running=st.booleans(),
    action=st.integers(0, spec.NUM_ACTIONS - 1),
)
def test_a_step_costs_what_the_hosts_the_service_and_restore_cost(
    privileged: int, ot_running: bool, action: int
) -> None:
    games = new_games(1)
    games["privileged_hosts"] = privileged
    games["ot_running"] = ot_running
    games["blue_action"] = action
    hosts = sum(t for host, t in enumerate((1, 10, 10, 10, 1, 1, 1, 10, 0, 1, 1, 1, 1)) if privileged >> host & 1)
    assert reward(games) == -(hosts + 100 * (not ot_running) + 10 * (action >= spec.RESTORE))


def test_an_unprivileged_session_costs_nothing(play: Callable[..., Any]) -> None:
    game = play()
    game.red("DiscoverNetworkServices", "Enterprise0")
    assert game.red("ExploitRemoteService", "Enterprise0") == 0
    assert game.env.red_hosts() != 1 << spec.RED_FOOTHOLD_INDEX
