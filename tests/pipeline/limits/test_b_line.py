from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from pipeline.cage2.facts.names import Profile
from pipeline.limits.b_line import NUM_OPENING_ACTIONS, BLine, State, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.pipeline.limits.conftest import Step


@pytest.mark.parametrize("profile", get_args(Profile))
def test_each_step_of_the_engine_is_one_of_the_process_and_costs_no_less(
    profile: Profile, steps_of: Callable[..., Iterator[Step]]
) -> None:
    process, states = BLine(profile), dict[int, State]()
    for step in steps_of(profile, "B_lineAgent", 20):
        if step.num_steps < NUM_OPENING_ACTIONS:
            continue
        after = state_of(step.game, step.lists)
        before = states.get(step.index)
        states[step.index] = after
        if before is None:
            continue
        costs = [
            decision.cost + outcome.cost
            for decision in process.decisions(before)
            for outcome in process.outcomes(decision.after)
            if outcome.probability > 0 and outcome.state == after
        ]
        assert costs, (step, before, after)
        assert min(costs) <= step.cost, (step, before, after)


def test_red_finds_what_two_decoys_can_add_at_its_first_scan() -> None:
    process = BLine("head")
    openings = {decision.after for decision in process.decisions(process.start)}
    (waiting,) = process.outcomes(process.start)
    assert all(
        sum((ports ^ base).bit_count() for ports, base in zip(each.memories, process.start.memories, strict=True)) <= 1
        for each in openings
    )
    chosen = list(process.outcomes(waiting.state))
    assert [outcome.probability for outcome in chosen] == [0.25] * 4
    assert all(outcome.cost == 0 for outcome in chosen)


@pytest.mark.parametrize("sees_all", [True, False])
def test_who_sees_the_table_can_not_tell_what_an_exploit_got(sees_all: bool) -> None:
    process = BLine("head", sees_all=sees_all)
    user1 = next(outcome.state for outcome in process.outcomes(process.start._replace(steps=1)))
    outcomes = [outcome for outcome in process.outcomes(user1) if outcome.probability > 0]
    assert sum(outcome.probability for outcome in outcomes) == pytest.approx(1)
    # of User1: a detected FTP shell and a guessed password look alike; an undetected shell is told
    assert len({outcome.state.levels[0] for outcome in outcomes}) == (3 if sees_all else 2)
