from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, get_args

import pytest

from pipeline.cage2.facts.names import Profile
from pipeline.cage2.facts.spec import EPISODE_STEPS, RESTORE_TENTHS
from pipeline.limits.exploits import kind_of
from pipeline.limits.meander import NOBODY, NUM_QUIET_STEPS, OVER, USER2, Meander, State, state_of, targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.pipeline.limits.conftest import Step


@pytest.mark.parametrize("profile", get_args(Profile))
def test_each_step_of_the_engine_is_one_of_the_process_and_costs_no_less(
    profile: Profile, steps_of: Callable[..., Iterator[Step]]
) -> None:
    states = dict[int, State]()
    charged, paid = defaultdict[int, float](float), defaultdict[int, int](int)
    for step in steps_of(profile, "RedMeanderAgent", 20):
        paid[step.index] += step.cost
        if step.num_steps < NUM_QUIET_STEPS:
            continue
        after = state_of(step.game, step.lists)
        before = states.get(step.index)
        states[step.index] = after
        if before is None:
            continue
        process = Meander(profile, kind_of(USER2, int(step.game["port_memory"][USER2])))
        costs = _costs(process, before, after)
        assert costs, (step, before, after)
        cost, owed = min(costs)
        assert cost <= step.cost, (step, before, after)
        charged[step.index] += cost + min(RESTORE_TENTHS, owed * (EPISODE_STEPS - step.num_steps))
    assert len(paid) == 20
    assert all(charged[index] <= cost for index, cost in paid.items())  # with all that was settled


def _costs(process: Meander, before: State, after: State) -> list[tuple[float, int]]:
    """Return what each way from a state to another costs, and what is owed then."""
    ways = []
    is_free = before.target == NOBODY and not before.quiet and before != OVER
    for target in targets_of(before) if is_free else [before.target]:
        start = before._replace(target=target)
        # a Restore of a host that isn't attacked now, after which Haraka fails there, can as well be paid for later
        for patched in {start.immune, start.immune | after.immune}:
            price = RESTORE_TENTHS * (patched & ~start.immune).bit_count()
            ways += [
                (price + decision.cost + outcome.cost, outcome.owed)
                for decision in process.decisions(start._replace(immune=patched))
                for outcome in process.outcomes(decision.after)
                if outcome.probability > 0 and _is(outcome.state, after)
            ]
    return ways


def _is(reached: State, after: State) -> bool:
    """Return whether a state of the process is one of the engine's, which doesn't say whom Red attacks next."""
    return reached == after or (after.level == 0 and reached._replace(target=NOBODY) == after)


def test_an_attack_that_fails_makes_red_give_up_its_enterprise_hosts() -> None:
    process = Meander("head", 0)
    state = process.start._replace(quiet=0, is_swept=True, escalated=0b1110, target=0)
    (decision,) = process.decisions(state)
    outcomes = [outcome for outcome in process.outcomes(decision.after) if outcome.probability > 0]
    assert {outcome.state.escalated for outcome in outcomes} == {0}
    assert {outcome.state.target for outcome in outcomes} == {0, 1, 2, 3, 8, 9, 10, 11, 12}


def test_a_user_host_costs_what_is_left_of_the_episode_or_a_restore() -> None:
    process = Meander("head", 0)
    state = process.start._replace(quiet=0, target=9, level=2)
    left_alone = next(iter(process.decisions(state)))
    outcomes = [outcome for outcome in process.outcomes(left_alone.after) if outcome.probability > 0]
    assert {(outcome.cost, outcome.owed) for outcome in outcomes} == {(1, 1)}
    assert {outcome.state.quiet for outcome in outcomes} == {1}  # Enterprise1 is scanned
