from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.cage2.gym.env import Cage2GymEnv
from pipeline.errors import SetupError
from pipeline.evaluate import trained as module
from pipeline.evaluate.trained import NoPolicyError, load_trained
from pipeline.persist.manifest import CheckpointError
from pipeline.persist.runs import RunFolderError
from pipeline.play.play_out import play_out
from pipeline.policy.params import SHARED_POLICY, PolicyShape
from pipeline.policy.store import PolicyStore

if TYPE_CHECKING:
    from tests.pipeline.conftest import MakeRun


def test_the_best_is_taken(make_run: MakeRun) -> None:
    run = make_run({3: 900, 17: 100, 118: 500}, best=17)
    trained = load_trained(run, None)
    assert (trained.run_dir, trained.workflow_id, trained.num_episodes, trained.num_updates) == (run, 17, 100, 0)
    assert trained.reason == "the run's best: sampled, its last evaluation there gave -12.3 ± 0.4"
    expected = PolicyStore(0, "uniform", PolicyShape()).get_or_create(17, warm_start=False).network.actor_weights()
    np.testing.assert_array_equal(trained.weights, expected)
    assert trained.config.run_name == "run"


def test_without_a_best_the_one_that_was_trained_longest_is(make_run: MakeRun) -> None:
    trained = load_trained(make_run({3: 900, 17: 900, 118: 500}), None)
    assert (trained.workflow_id, trained.reason) == (
        3,
        "the one that was trained longest; none has reached the compliance threshold",
    )
    assert load_trained(make_run({5: 1}, name="other"), None).reason.startswith("the only one; none has")


def test_the_order_that_is_asked_for_is_taken(make_run: MakeRun) -> None:
    trained = load_trained(make_run({3: 900, 17: 100}, best=17), 3)
    assert (trained.workflow_id, trained.reason) == (3, "as asked for")


def test_an_order_that_was_not_trained(make_run: MakeRun) -> None:
    run = make_run({0: 900, 119: 100})
    with pytest.raises(NoPolicyError) as caught:
        load_trained(run, 118)
    assert str(caught.value) == (
        f"{run} has no policy for '{order_name(118)}', but for 2 of the 120 orders; the nearest is '{order_name(119)}'"
    )


def test_a_shared_policy_follows_any_order(make_run: MakeRun) -> None:
    run = make_run({SHARED_POLICY: 900}, best=17)
    best, asked = load_trained(run, None), load_trained(run, 118)
    assert (best.workflow_id, best.num_episodes) == (17, 900)
    assert best.reason.startswith("the run's best: ")
    assert (asked.workflow_id, asked.reason) == (118, "as asked for")
    np.testing.assert_array_equal(asked.weights, best.weights)
    without = load_trained(make_run({SHARED_POLICY: 900}, name="other"), None)
    assert (without.workflow_id, without.reason) == (0, "the first of all; none has reached the compliance threshold")


def test_a_run_without_a_checkpoint(make_run: MakeRun) -> None:
    run = make_run({})
    with pytest.raises(NoPolicyError, match=r"run has no checkpoint yet: go on with it \(resume .*run\) until"):
        load_trained(run, None)
    (run / "checkpoint" / "manifest.json").unlink()
    with pytest.raises(NoPolicyError, match="no checkpoint yet"):
        load_trained(run, None)
    (run / "config.json").unlink()
    with pytest.raises(RunFolderError, match="is not the folder of a run"):
        load_trained(run, None)


@pytest.mark.parametrize("name", ["manifest.json", "policy-003-000000.safetensors"])
def test_a_damaged_checkpoint(name: str, make_run: MakeRun) -> None:
    run = make_run({3: 900})
    path = run / "checkpoint" / name
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(SetupError, match=name):
        load_trained(run, None)


def test_a_search_that_can_not_be(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run({3: 900})
    monkeypatch.setattr(module.Search, "from_state", lambda _: [][0])
    with pytest.raises(CheckpointError, match="holds a search that can't be"):
        load_trained(run, None)


def test_it_plays_on_from_a_state_as_an_agent(make_run: MakeRun) -> None:
    trained = load_trained(make_run({17: 100}, best=17), None)
    config, policy = trained.config, trained.policy(greedy=True)
    assert (policy.workflow_id, policy.greedy, trained.policy().greedy) == (17, True, False)
    env = Cage2GymEnv(
        observation_memory=config.observation_memory, actions=config.actions, episode_steps=config.episode_steps
    )
    observation, _ = env.reset(seed=1)
    state, total = env.state(), 0.0
    for _ in range(20):
        action, _ = policy.actor.sample(observation.astype(np.int8), 17, 0.5, greedy=True)
        observation, reward, *_ = env.step(action)
        total += reward
    assert play_out([state], policy, 20) == pytest.approx(total)
