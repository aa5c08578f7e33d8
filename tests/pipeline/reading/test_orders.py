from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.config import Config
from pipeline.policy.params import SHARED_POLICY
from pipeline.reading.orders import map_after, search_state
from pipeline.reading.visits import EndedVisit
from pipeline.types import Estimate, Score, WorkflowResult
from pipeline.workflows.search import Search
from pipeline.workflows.status import Status

if TYPE_CHECKING:
    from pipeline.types import VisitEnd

CONFIG = Config(seed=3, max_episodes_per_workflow=1000)


def visit(
    workflow_id: int,
    env_reward: float,
    *,
    compliance: float = 1.0,
    part: str = "search",
    reason: VisitEnd = "threshold",
) -> EndedVisit:
    return EndedVisit(
        iteration=0,
        workflow_id=workflow_id,
        part=part,
        reason=reason,
        ucb_score=0.0,
        num_episodes=100,
        total_episodes=0,
        gp_updated=compliance >= 0.95,
        score=Score(200, Estimate(env_reward, 0.5), compliance),
    )


VISITS = [
    visit(7, -20.0),
    visit(8, -30.0),
    visit(50, -90.0, compliance=0.5, reason="cap"),
    visit(9, -40.0, compliance=0.9),
    visit(8, -25.0),
    visit(70, -22.5),
    visit(7, -90.0, compliance=0.1),
]


def test_the_map_is_the_one_that_the_search_had_after_every_visit() -> None:
    search = Search(seed=3, beta=CONFIG.gp_beta, max_episodes_per_workflow=1000)
    for num, each in enumerate(VISITS, 1):
        reached = each.score.compliance >= 0.95
        search.finish(WorkflowResult(each.workflow_id, each.score, 100, reached, each.reason))  # type: ignore[arg-type]
        assert search_state(CONFIG, VISITS[:num]) == search.state()
    found, posterior, report = map_after(CONFIG, VISITS), search.posterior(), search.report()
    assert posterior is not None
    assert np.array_equal(found.mean, posterior.mean)  # type: ignore[arg-type]
    assert np.array_equal(found.std, posterior.std)  # type: ignore[arg-type]
    assert found.report == report
    assert found.scores == {8: VISITS[4].score, 70: VISITS[5].score}
    assert (found.status[50], found.status[8], found.status[7]) == (Status.RETIRED, Status.TRAINED, Status.UNDECIDED)
    assert found.num_episodes[8] == 200


def test_before_anything_is_observed_nothing_is_believed() -> None:
    found = map_after(CONFIG, VISITS[2:3])
    assert (found.mean, found.std, found.report, found.scores) == (None, None, None, {})


def test_a_finalist_that_fails_is_forgotten_and_one_that_holds_changes_nothing() -> None:
    before = search_state(CONFIG, VISITS[:2])
    holds = search_state(CONFIG, [*VISITS[:2], visit(7, -15.0, part="finals", reason="final")])
    assert holds["observations"] == before["observations"]
    assert holds["num_episodes"] == before["num_episodes"]
    fails = search_state(CONFIG, [*VISITS[:2], visit(7, -15.0, part="finals", reason="final", compliance=0.2)])
    assert [each["workflow_id"] for each in fails["observations"]] == [8]


def test_of_a_policy_for_all_orders_each_evaluation_counts_anew() -> None:
    rounds = [
        {
            "num_episodes": 20,
            "env_reward": [{"mean": -float(w + number), "stderr": 1.0} for w in range(NUM_WORKFLOWS)],
            "compliance": [1.0 if w < 10 else 0.5 for w in range(NUM_WORKFLOWS)],
        }
        for number in range(2)
    ]
    visits = [visit(SHARED_POLICY, -50.0), visit(SHARED_POLICY, -50.0)]
    state = search_state(CONFIG, visits, json.loads(json.dumps(rounds)))
    assert [each["env_reward"]["mean"] for each in state["observations"]] == [-float(w + 1) for w in range(10)]
    assert state["status"] == ["trained"] * 10 + ["retired"] * 110
    with pytest.raises(ValueError, match="an evaluation of 1 orders"):
        search_state(CONFIG, visits, [{"num_episodes": 1, "env_reward": [{"mean": 0, "stderr": 0}], "compliance": [1]}])
    with pytest.raises(ValueError, match="no evaluation of all orders"):
        search_state(CONFIG, visits, [{"env_reward": 3}])


def test_what_no_run_can_have_observed_is_refused() -> None:
    with pytest.raises(ValueError, match="no standard error"):
        map_after(CONFIG, [EndedVisit(0, 7, "search", "cap", 0.0, 1, 1, True, Score(1, Estimate(-1.0, -1.0), 1.0))])
