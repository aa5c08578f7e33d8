"""One event of each kind."""

from __future__ import annotations

import math

import pytest

from pipeline.types import (
    CheckpointWritten,
    EpisodesCollected,
    EpisodesLost,
    Estimate,
    Event,
    FirstEpisode,
    OrdersEvaluated,
    PairEffect,
    RunFinished,
    RunStarted,
    Settling,
    TiedOrder,
    UpdateResult,
    WorkersStarted,
    WorkflowFinished,
    WorkflowResult,
    WorkflowStarted,
)

ORDER = "op_server -> defender -> enterprise -> op_host -> user"


@pytest.fixture
def update() -> UpdateResult:
    return UpdateResult(
        update=3,
        workflow_id=57,
        workflow_order=ORDER,
        num_episodes=32,
        total_episodes=128,
        env_reward=Estimate(-123.456789, 4.5678),
        alignment_bonus=12.34567,
        total_reward=-111.111119,
        compliance=0.41152,
        avg_fixes=17.127,
        collection_s=1.23456,
        update_s=0.34567,
        policy_loss=-0.0123456789,
        value_loss=1.5,
        entropy=4.97661,
        approx_kl=0.0012344,
        clip_fraction=0.0625,
        num_epochs=4,
        learning_rate=0.00097,
    )


@pytest.fixture
def finished() -> WorkflowFinished:
    return WorkflowFinished(
        iteration=2,
        workflow_order=ORDER,
        ucb_score=-9.87654321,
        result=WorkflowResult(
            57,
            Estimate(-20.23456, 0.98765),
            0.96,
            640,
            reached_threshold=True,
            reason="threshold",
            num_evaluated=200,
            greedy_env_reward=Estimate(-18.76543, 0.87654),
            greedy_compliance=0.98,
        ),
        gp_updated=True,
    )


@pytest.fixture
def run_finished() -> RunFinished:
    return RunFinished(
        digest="abc",
        profile="head",
        reason="budget",
        episodes=640,
        updates=20,
        wall_s=12.5,
        episodes_per_s=51.2,
        num_observed=30,
        too_few_observed=False,
        best_workflow=ORDER,
        best_env_reward=-20.23456,
        best_env_reward_stderr=0.98765,
        tied_with_best=(TiedOrder(ORDER, 0.75, observed=True),),
        pairs=(PairEffect("enterprise", "user", 8.04, 0.31, matters=True),),
        settling=Settling(1, 12.5, 0.4, 0, needs_trainings=False),
    )


@pytest.fixture
def events(update: UpdateResult, finished: WorkflowFinished, run_finished: RunFinished) -> list[Event]:
    return [
        RunStarted("logs/run", resumed=False),
        WorkersStarted(0.5),
        WorkflowStarted(2, 57, ORDER, math.nan, resumed_policy=False),
        FirstEpisode(1.25),
        EpisodesCollected(3, 7, 32),
        update,
        EpisodesLost(num_episodes=3, num_rebuilds=1),
        CheckpointWritten("logs/run/checkpoint", 128),
        finished,
        OrdersEvaluated(20, (Estimate(-20.5, 0.5), Estimate(-30.25, 1.5)), (0.5, 1.0)),
        run_finished,
    ]
