from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.policy.forward import Actor
from pipeline.policy.network import network_inputs
from pipeline.policy.params import PLAIN
from pipeline.policy.store import PolicyState, PolicyStore
from pipeline.ppo import update as ppo
from pipeline.ppo.batch import Batch, BatchNotFullError
from pipeline.ppo.compiled.update import CompiledUpdate
from pipeline.ppo.recipe import DEFAULT, PROTOTYPE, Recipe
from pipeline.ppo.samples import Samples
from pipeline.ppo.update import TrainingDivergedError, UpdateMetrics, advantages_and_targets

CPU = torch.device("cpu")
BEST = 100
"""The action that costs nothing where observation bit 0 is set; without it, `BEST + 1`."""
ONE_STEP = dataclasses.replace(DEFAULT, num_epochs=1, minibatch_size=None)


def weights_of(store: PolicyStore) -> list[bytes]:
    return [
        store.tensors(workflow_id)[name].numpy().tobytes()
        for workflow_id in store.trained_ids()
        for name in ("actor", "critic")
    ]


def fresh(recipe: Recipe = DEFAULT, workflow_id: int = 7) -> PolicyState:
    return PolicyStore(0, recipe.initialisation, PLAIN).get_or_create(workflow_id, warm_start=False)


def play(policy: PolicyState, num_episodes: int = 8, num_steps: int = 20, seed: int = 0) -> Batch:
    """Play a bandit: any action but the best costs a point, and some of the others are fixes."""
    rng = np.random.default_rng(seed)
    actor = Actor(policy.network.actor_weights(), PLAIN)
    batch = Batch(num_episodes, num_steps)
    for row in range(num_episodes):
        observation = np.zeros((num_steps + 1, OBSERVATION_SIZE), np.int8)
        observation[:, :5] = rng.integers(0, 2, (num_steps + 1, 5))
        drawn = [actor.sample(observation[t], policy.workflow_id, rng.random()) for t in range(num_steps)]
        action = np.array([a for a, _ in drawn], np.uint8)
        best = np.where(observation[:-1, 0], BEST, BEST + 1)
        batch.put(
            row,
            {
                "observation": observation,
                "action": action,
                "log_prob": np.array([log_prob for _, log_prob in drawn], np.float32),
                "reward_tenths": np.where(action == best, 0, -10).astype(np.int16),
                "fix": np.where(action % 7 == 0, 1 + action % 2, 0).astype(np.int8),
            },
            policy.workflow_id,
        )
    return batch


def update(
    policy: PolicyState,
    batch: Batch,
    recipe: Recipe = DEFAULT,
    seed: int = 0,
    progress: float = 0.0,
    alignment_lambda: float = 30.0,
) -> UpdateMetrics:
    return ppo.update(
        policy,
        batch,
        recipe,
        alignment_lambda=alignment_lambda,
        progress=progress,
        generator=np.random.default_rng(seed),
        device=CPU,
    )


def importance_of(policy: PolicyState, batch: Batch) -> np.ndarray:
    samples = Samples.of(batch)
    CompiledUpdate(policy, samples, DEFAULT, 1e-3).evaluate()
    return samples.importance


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


# a bandit's rewards say nothing of later steps: returns that add them up, unlike advantages, would drown in noise
@pytest.mark.parametrize("recipe", [DEFAULT, dataclasses.replace(PROTOTYPE, gamma=0.0)], ids=lambda recipe: recipe.name)
def test_it_learns(recipe: Recipe) -> None:
    policy = fresh(recipe)
    for k in range(80):
        update(policy, play(policy, num_episodes=16, num_steps=50, seed=k), recipe, seed=k, alignment_lambda=0.0)

    rows = np.zeros((2, OBSERVATION_SIZE), np.int8)
    rows[1, 0] = 1
    probs = policy.network.log_probs(network_inputs(rows, 7, CPU)).exp().detach().numpy()
    assert probs[0, BEST + 1] > 0.8
    assert probs[1, BEST] > 0.8
    assert (policy.num_updates, policy.num_episodes) == (80, 80 * 16)


def test_the_alignment_bonus_is_learned_from() -> None:
    with_bonus, without = fresh(), fresh()
    batch = play(with_bonus)
    update(with_bonus, batch, alignment_lambda=30.0)
    update(without, batch, alignment_lambda=0.0)

    assert not torch.equal(with_bonus.network.actor, without.network.actor)


def test_an_update_begins_at_ratio_1_however_old_the_policy_that_played() -> None:
    policy = fresh()
    batch = play(policy)
    for lag in range(3):
        metrics = update(policy, batch, ONE_STEP)
        assert metrics.approx_kl == pytest.approx(0, abs=1e-10)
        assert metrics.clip_fraction == 0
        if lag == 0:
            # every weight is 1 and advantages are standardised
            assert metrics.policy_loss == pytest.approx(0, abs=1e-5)


def test_importance_is_that_of_the_older_policy_and_bounded() -> None:
    policy = fresh()
    batch = play(policy)
    assert importance_of(policy, batch) == pytest.approx(1, abs=1e-5)

    batch.log_prob[0] -= np.float32(np.log(1.5))
    batch.log_prob[1] -= 10
    later = importance_of(policy, batch).reshape(8, 20)
    assert later[0] == pytest.approx(1.5, abs=1e-4)
    assert np.all(later[1] == DEFAULT.max_importance)
    assert later[2:] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("recipe", [DEFAULT, PROTOTYPE], ids=lambda recipe: recipe.name)
def test_the_result_is_a_function_of_the_arguments_to_the_bit(recipe: Recipe) -> None:
    runs = []
    for _ in range(2):
        store = PolicyStore(0, recipe.initialisation, PLAIN)
        policy = store.get_or_create(7, warm_start=False)
        metrics = [update(policy, play(policy, seed=k), recipe, seed=k) for k in range(3)]
        runs.append((weights_of(store), metrics))
        torch.rand(5)  # torch's global generator has no part in it

    assert runs[0] == runs[1]


def test_saved_and_loaded_it_goes_on_to_the_same_bits() -> None:
    straight, first, second = (PolicyStore(0, "orthogonal", PLAIN) for _ in range(3))
    policy = straight.get_or_create(7, warm_start=False)
    for k in range(4):
        update(policy, play(policy, seed=k), seed=k)

    policy = first.get_or_create(7, warm_start=False)
    for k in range(2):
        update(policy, play(policy, seed=k), seed=k)
    policy = second.load(7, first.tensors(7), policy.num_updates, policy.num_episodes)
    for k in range(2, 4):
        update(policy, play(policy, seed=k), seed=k)

    assert weights_of(second) == weights_of(straight)


def test_minibatch_order_comes_from_the_generator() -> None:
    recipe = dataclasses.replace(DEFAULT, minibatch_size=40)
    first, second = fresh(), fresh()
    batch = play(first)
    update(first, batch, recipe, seed=0)
    update(second, batch, recipe, seed=1)

    assert not torch.equal(first.network.actor, second.network.actor)


@pytest.mark.parametrize(("minibatch_size", "num_gradients"), [(40, 4), (50, 3), (1000, 1), (None, 1)])
def test_minibatches_are_as_near_to_their_size_as_the_batch_divides(
    minibatch_size: int | None, num_gradients: int
) -> None:
    policy = fresh()
    update(policy, play(policy), dataclasses.replace(DEFAULT, num_epochs=1, minibatch_size=minibatch_size))

    assert policy.adam["actor"]["step"].item() == num_gradients


def test_epochs_stop_at_the_target_kl() -> None:
    eager = dataclasses.replace(DEFAULT, minibatch_size=40, num_epochs=6)
    policy = fresh()
    batch = play(policy)

    stopped = update(policy.copy(), batch, dataclasses.replace(eager, target_kl=1e-6))
    full = update(policy.copy(), batch, dataclasses.replace(eager, target_kl=float("inf")))

    assert stopped.num_epochs == 1
    assert stopped.approx_kl > 1e-6
    assert full.num_epochs == 6


def test_the_learning_rate_follows_progress() -> None:
    policy = fresh()
    batch = play(policy)
    early, late = policy.copy(), policy.copy()

    assert update(early, batch, ONE_STEP, progress=0.0).learning_rate == pytest.approx(1e-3)
    assert update(late, batch, ONE_STEP, progress=1.0).learning_rate == pytest.approx(1e-4)
    moved = [(p.network.actor - policy.network.actor).abs().max().item() for p in (early, late)]
    assert moved[0] == pytest.approx(10 * moved[1], rel=0.01)


def test_gradients_are_clipped_for_each_network_on_its_own() -> None:
    """However wrong the critic is, the actor's step is the same."""
    policy = fresh()
    batch = play(policy)
    loud, quiet = policy.copy(), policy.copy()
    update(loud, batch, dataclasses.replace(ONE_STEP, vf_coef=1000.0))
    update(quiet, batch, dataclasses.replace(ONE_STEP, vf_coef=0.0))

    assert torch.equal(loud.network.actor, quiet.network.actor)
    assert not torch.equal(loud.network.critic, policy.network.critic)
    assert torch.equal(quiet.network.critic, policy.network.critic)


LOUD = dataclasses.replace(DEFAULT, reward_scale=1e25, max_grad_norm=float("inf"))


@pytest.mark.parametrize(
    ("log_prob", "recipe", "alignment_lambda", "what"),
    [
        (np.nan, DEFAULT, 30.0, "log_prob"),
        (-np.inf, DEFAULT, 30.0, "log_prob"),
        (np.inf, DEFAULT, 30.0, "log_prob"),
        (-5.0, LOUD, 30.0, "value_loss"),
        (-5.0, dataclasses.replace(DEFAULT, reward_scale=1e10), 1e300, "advantage"),
        (-5.0, dataclasses.replace(DEFAULT, reward_scale=1e30), 1e10, "target"),
    ],
    ids=["not written", "minus infinity", "infinity", "overflows when squared", "overflows", "overflows float32"],
)
def test_a_policy_survives_an_update_that_diverges(
    log_prob: float, recipe: Recipe, alignment_lambda: float, what: str
) -> None:
    store = PolicyStore(0, "orthogonal", PLAIN)
    policy = store.get_or_create(7, warm_start=False)
    batch = play(policy)
    update(policy, batch)
    before = store.tensors(7)
    batch.log_prob[3, 3] = log_prob

    with pytest.raises(TrainingDivergedError, match=rf"workflow 7, update 1, epoch 0: {what} is not finite"):
        update(policy, batch, recipe, alignment_lambda=alignment_lambda)

    after = store.tensors(7)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (policy.num_updates, policy.num_episodes) == (1, 8)
    batch.log_prob[3, 3] = -5
    update(policy, batch)
    assert policy.num_updates == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_an_update_makes_is_looked_at_as_well(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses are finite, and yet the last step may break a weight, or what Adam remembers."""
    policy = fresh()
    batch = play(policy)
    before, train = policy.network.actor_weights(), CompiledUpdate.train

    def breaking(form: CompiledUpdate, what: str, *arguments: Any) -> dict[str, float]:
        watched = train(form, *arguments)
        network = form._networks[1]
        (network.weights if what == "a weight" else network.mean_square)[5] = value
        return watched

    for what in ("a weight", "a moment of Adam"):
        monkeypatch.setattr(
            CompiledUpdate, "train", lambda form, *arguments, what=what: breaking(form, what, *arguments)
        )
        with pytest.raises(TrainingDivergedError, match=f"workflow 7, update 0, epoch 0: {what} is not finite"):
            update(policy, batch, ONE_STEP)
    assert np.array_equal(policy.network.actor_weights(), before)
    assert policy.num_updates == 0


def test_a_batch_must_be_full_and_written_to_its_end() -> None:
    policy = fresh()
    with pytest.raises(BatchNotFullError):
        update(policy, Batch(2, 20))
    batch = play(policy)
    batch.observation[-1, -1] = -1
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        update(policy, batch)
    assert policy.num_updates == 0


def test_default_bootstraps_and_standardises_advantages() -> None:
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(-5, 2, (4, 10)), rng.normal(-1, 0.1, (4, 11))

    advantages, targets = advantages_and_targets(rewards, values, DEFAULT)
    assert (advantages.mean(), advantages.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1, abs=1e-6))
    assert targets[:, -1] == pytest.approx(0.01 * rewards[:, -1] + 0.99 * values[:, -1])

    values[:, -1] += 1
    assert advantages_and_targets(rewards, values, DEFAULT)[1][:, -1] == pytest.approx(targets[:, -1] + 0.99)


def test_prototype_standardises_returns_and_does_not_bootstrap() -> None:
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(-5, 2, (4, 10)), rng.normal(-1, 0.1, (4, 11))

    advantages, targets = advantages_and_targets(rewards, values, PROTOTYPE)
    assert (targets.mean(), targets.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1, abs=1e-6))
    assert advantages == pytest.approx(targets - values[:, :-1])

    values[:, -1] += 1
    assert np.array_equal(advantages_and_targets(rewards, values, PROTOTYPE)[1], targets)


def test_steps_that_are_all_alike_teach_nothing_and_break_nothing() -> None:
    policy = fresh()
    batch = play(policy)
    batch.reward_tenths[:] = 0
    batch.fix[:] = 0
    recipe = dataclasses.replace(PROTOTYPE, ent_coef=0.0)

    assert np.isfinite(update(policy, batch, recipe, alignment_lambda=0.0).policy_loss)


def test_there_is_always_a_cpu() -> None:
    assert ppo.learning_device("cpu").type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_named() -> None:
    with pytest.raises(ppo.NoSuchDeviceError, match="--device cuda"):
        ppo.learning_device("cuda")


def test_batch_actions_cover_the_action_space() -> None:
    assert np.iinfo(Batch(1, 1).action.dtype).max >= NUM_ACTIONS - 1


def test_the_entropy_counts_as_much_as_it_does_by_now() -> None:
    """At the end of the thorough recipe's schedule an update is that of one without the bonus."""
    policy = fresh()
    batch = play(policy)
    anneals = dataclasses.replace(DEFAULT, ent_coef=0.5, final_ent_coef=0.0, final_learning_rate=DEFAULT.learning_rate)
    constant = dataclasses.replace(anneals, final_ent_coef=0.5)
    without = dataclasses.replace(anneals, ent_coef=0.0)
    weights = {}
    for name, recipe, progress in (
        ("begun", anneals, 0.0),
        ("constant", constant, 1.0),
        ("ended", anneals, 1.0),
        ("without", without, 1.0),
    ):
        trained = policy.copy()
        update(trained, batch, recipe, progress=progress)
        weights[name] = trained.network.actor_weights().tobytes()
    assert weights["begun"] == weights["constant"] != weights["ended"] == weights["without"]
