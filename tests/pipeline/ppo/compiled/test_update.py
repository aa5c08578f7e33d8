"""The compiled form against torch: loss, gradient and whole updates, with and without distinct inputs."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
import os
import platform
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface, Mask
from pipeline.play.game import GameSpec
from pipeline.play.player import Player
from pipeline.play.record import HEADER
from pipeline.policy import network
from pipeline.policy.forward import MAX_OBSERVATION_SIZE
from pipeline.policy.network import network_inputs
from pipeline.policy.params import PolicyShape
from pipeline.policy.store import PolicyState
from pipeline.ppo import losses
from pipeline.ppo import update as ppo
from pipeline.ppo.autograd import AutogradUpdate
from pipeline.ppo.batch import Batch
from pipeline.ppo.compiled import mlp
from pipeline.ppo.compiled import update as compiled_update
from pipeline.ppo.compiled.epoch import EVALUATE_ACTOR, EVALUATE_CRITIC, TRAIN_ACTOR, TRAIN_CRITIC
from pipeline.ppo.compiled.update import CompiledUpdate
from pipeline.ppo.recipe import DEFAULT, PROTOTYPE, THOROUGH, Recipe
from pipeline.ppo.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[4]
CPU = torch.device("cpu")
MET_SUBNORMAL = 0x12 if platform.machine() == "x86_64" else 0
"""`FE_UNDERFLOW`, of a result, and x86's `FE_DENORM`, of an operand: flags that stay up until they are cleared."""
PLAIN_GRADIENT = 2e-5
"""Of gradients whose largest elements are about 1: float32 sums of up to a hundred terms, in two orders."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def masked(shape: PolicyShape, seed: int) -> PolicyShape:
    """The same shape with a mask, of any kind but that the first action is always there."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, shape.observation_size, (shape.num_actions, 2)).tolist()
    cause = tuple(bit if rng.random() < 0.7 else None for bit, _ in bits[1:])
    spent = tuple(bit if rng.random() < 0.3 else None for _, bit in bits[1:])
    return dataclasses.replace(shape, mask=Mask((None, *cause), (None, *spent)))


def possible(shape: PolicyShape, observation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An action per observation, of those that are not masked."""
    likes = rng.random((len(observation), shape.num_actions))
    if shape.mask:
        likes[network.useless(shape.mask, torch.from_numpy(observation)).numpy()] = -1
    return likes.argmax(axis=1).astype(np.uint8)


def played(shape: PolicyShape, num_episodes: int, num_steps: int, num_distinct: int, seed: int) -> Batch:
    """A batch of any rewards, in which about `num_distinct` observations occur, for two workflows."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 2, (num_distinct, shape.observation_size)).astype(np.int8)
    batch = Batch(num_episodes, num_steps, shape.observation_size)
    for row in range(num_episodes):
        observation = kinds[rng.integers(0, num_distinct, num_steps + 1)]
        record = {
            "observation": observation,
            "action": possible(shape, observation[:-1], rng),
            "log_prob": rng.normal(-np.log(shape.num_actions), 0.3, num_steps).astype(np.float32),
            "reward_tenths": rng.integers(-20, 1, num_steps).astype(np.int16),
            "fix": rng.integers(0, 3, num_steps).astype(np.int8),
        }
        batch.put(row, record, workflow_id=(7, 103)[row % 2])
    return batch


def played_for_real(interface: Interface, policy: PolicyState, num_episodes: int) -> Batch:
    """Episodes of the game, played by a policy as a worker plays them."""
    game = GameSpec(
        red_agent="RedMeanderAgent",
        engine="fast",
        profile="head",
        cyborg="csle",
        compromised="fixable",
        num_steps=100,
        interface=interface,
    )
    player = Player(game, lambda _: policy.network.actor.detach().numpy())
    header, record = (layout.views(memoryview(bytearray(layout.size_bytes))) for layout in (HEADER, game.record))
    batch = Batch(num_episodes, game.num_steps, interface.observation_size)
    environment, actions = seeding.episode_seeds(0, 0, range(num_episodes), seeding.Purpose.COMPARISON)
    header["workflow_id"][...] = policy.workflow_id
    for row in range(num_episodes):
        header["environment_seed"][...], header["actions_seed"][...] = environment[row], actions[row]
        assert player.play(header, record)
        batch.put(row, record, policy.workflow_id)
    return batch


def policy_of(shape: PolicyShape, scale: float = 1.0) -> PolicyState:
    fresh = network.create(np.random.default_rng(3), "uniform", shape)
    with torch.no_grad():
        fresh.actor *= scale
    return PolicyState(7, fresh)


def update_by(
    form: type[CompiledUpdate] | type[AutogradUpdate], policy: PolicyState, batch: Batch, recipe: Recipe
) -> ppo.UpdateMetrics:
    samples = Samples.of(batch)
    device = (CPU,) if form is AutogradUpdate else ()
    return ppo.update_by(
        form(policy, samples, recipe, recipe.learning_rate, *device),
        policy,
        batch,
        samples,
        recipe,
        alignment_lambda=30.0,
        progress=0.0,
        generator=np.random.default_rng(0),
    )


@pytest.mark.parametrize("form", [CompiledUpdate, AutogradUpdate])
@pytest.mark.parametrize("interface", [Interface(), Interface(observation_memory=True, actions="merged")], ids=str)
def test_the_learner_answers_as_the_worker_played(
    form: type[CompiledUpdate] | type[AutogradUpdate], interface: Interface
) -> None:
    policy = policy_of(PolicyShape.of(interface), scale=4.0)
    batch = played_for_real(interface, policy, 20)
    samples = Samples.of(batch)
    device = (CPU,) if form is AutogradUpdate else ()
    form(policy, samples, DEFAULT, 0.0, *device).evaluate()
    # two float32 sums of some hundred terms each
    assert samples.log_prob_old == pytest.approx(batch.log_prob.ravel(), abs=2e-5)
    assert samples.log_prob_old.min() < np.log(1e-2)  # rare actions are compared as well


sizes = st.sampled_from([(64, 64), (32, 96), (128, 32)])
plain_shapes = st.builds(
    PolicyShape, st.integers(1, MAX_OBSERVATION_SIZE), st.integers(2, 145), st.none(), hidden_sizes=sizes
)
shapes = plain_shapes | st.builds(masked, plain_shapes, st.integers(0, 1000))


@settings(max_examples=25, deadline=None)
@given(
    shape=shapes,
    num_episodes=st.integers(1, 5),
    num_steps=st.integers(2, 60),
    num_distinct=st.integers(1, 100),
    scale=st.sampled_from([1.0, 4.0]),
    seed=st.integers(0, 1000),
)
def test_loss_and_gradient_are_those_of_the_plain_computation(
    shape: PolicyShape, num_episodes: int, num_steps: int, num_distinct: int, scale: float, seed: int
) -> None:
    """Each step on its own, nothing shared between equal inputs; all three forms, away from where the update began."""
    batch = played(shape, num_episodes, num_steps, num_distinct, seed)
    recipe = dataclasses.replace(DEFAULT, ent_coef=0.1)
    policy = policy_of(shape, scale)
    samples = Samples.of(batch)
    forms = (
        CompiledUpdate(policy, samples, recipe, 0.0),
        AutogradUpdate(policy, samples, recipe, 0.0, CPU),
    )
    for form in forms:
        form.evaluate()
    rng = np.random.default_rng(seed)
    samples.log_prob_old[:] += rng.normal(0, 0.2, len(samples)).astype(np.float32)
    samples.advantage[:] = rng.normal(0, 1, len(samples))
    samples.target[:] = rng.normal(0, 1, len(samples))
    forms[1]._log_prob_old = torch.from_numpy(samples.log_prob_old)
    everything = np.random.default_rng(0).permutation(len(samples))

    inputs = network_inputs(
        samples.inputs.observation[samples.row], samples.inputs.workflow_id[samples.row], CPU
    )  # [N, K + 25]
    nets = policy.network
    log_probs = nets.log_probs(inputs)
    log_ratio = log_probs[torch.arange(len(samples)), samples.action.astype(np.int64)] - torch.from_numpy(
        samples.log_prob_old
    )
    importance, advantage, target = (
        torch.from_numpy(values) for values in (samples.importance, samples.advantage, samples.target)
    )
    terms = {
        "policy_loss": losses.clipped_policy_loss(log_ratio, advantage, importance, recipe.clip_coef),
        "value_loss": losses.value_loss(nets.values(inputs), target),
        "entropy": losses.entropy(log_probs).mean(),
        "approx_kl": losses.approx_kl(log_ratio.detach()),
        "clip_fraction": losses.clip_fraction(log_ratio.detach(), recipe.clip_coef),
    }
    loss = terms["policy_loss"] + recipe.vf_coef * terms["value_loss"] - recipe.ent_coef * terms["entropy"]
    plain = torch.autograd.grad(loss, [nets.actor, nets.critic])

    for form in forms:
        watched = form.train(everything, 1)
        for name, value in terms.items():
            # single precision, of sums of at most 300 terms of about 1
            assert watched[name] == pytest.approx(value.item(), abs=2e-5), name
    compiled, autograd = forms
    for which, (gradient, parameter) in enumerate(zip(plain, autograd._network.parameters(), strict=True)):
        flat = np.zeros(len(gradient), np.float32)
        sizes = compiled._parts()[which][1]
        mlp.to_flat(sizes, compiled._inputs, compiled._networks[which].gradient, flat)
        limit = min(1.0, recipe.max_grad_norm / (float(gradient.norm()) + 1e-6))
        assert flat == pytest.approx(gradient.numpy(), abs=PLAIN_GRADIENT)
        assert parameter.grad.numpy() == pytest.approx(limit * gradient.numpy(), abs=PLAIN_GRADIENT)


@settings(max_examples=15, deadline=None)
@given(
    shape=shapes,
    num_episodes=st.integers(1, 4),
    num_steps=st.integers(2, 50),
    num_distinct=st.integers(1, 120),
    recipe=st.sampled_from([DEFAULT, PROTOTYPE]),
    seed=st.integers(0, 1000),
)
def test_whole_updates_are_those_of_torch(
    shape: PolicyShape, num_episodes: int, num_steps: int, num_distinct: int, recipe: Recipe, seed: int
) -> None:
    recipe = dataclasses.replace(recipe, minibatch_size=23, num_epochs=2, target_kl=float("inf"))
    ours, theirs = policy_of(shape), policy_of(shape)
    for k in range(2):  # the second one with Adam's moments of the first
        batch = played(shape, num_episodes, num_steps, num_distinct, seed + k)
        one = update_by(CompiledUpdate, ours, batch, recipe)
        other = update_by(AutogradUpdate, theirs, batch, recipe)
        assert one.policy_loss == pytest.approx(other.policy_loss, abs=1e-3)
        assert one.value_loss == pytest.approx(other.value_loss, rel=1e-2, abs=1e-4)

    # Adam divides by the gradient's own size: where that is near 0, rounding decides where a weight goes. So a few
    # weights part by up to the steps' length, and the rest agrees
    for parameter, other in zip(ours.network.parameters(), theirs.network.parameters(), strict=True):
        apart = (parameter - other).abs().detach().numpy()
        assert np.mean(apart) < 0.02 * recipe.learning_rate
    for name in ("actor", "critic"):
        assert ours.adam[name]["step"] == theirs.adam[name]["step"]


def test_no_operation_of_an_update_meets_a_subnormal_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after hundreds of steps in which most inputs are not seen; this thread does not flush."""
    run, mathematics = compiled_update.run, ctypes.CDLL(None)

    def watching(*arguments: Any) -> None:
        mathematics.feclearexcept(MET_SUBNORMAL)
        run(*arguments)
        assert not mathematics.fetestexcept(MET_SUBNORMAL)

    monkeypatch.setattr(compiled_update, "run", watching)
    interface = Interface(observation_memory=True, actions="merged")
    policy = policy_of(PolicyShape.of(interface))
    recipe = dataclasses.replace(THOROUGH, minibatch_size=10, target_kl=float("inf"))
    smallest = np.finfo(np.float32).tiny
    assert smallest / np.float32(2) > 0
    for num_episodes in (8, 4, 4, 4, 4):
        batch = played_for_real(interface, policy, num_episodes)
        samples = Samples.of(batch)
        form = CompiledUpdate(policy, samples, recipe, recipe.learning_rate)
        ppo.update_by(
            form, policy, batch, samples, recipe, alignment_lambda=0.0, progress=0.0, generator=np.random.default_rng(0)
        )
        arrays = [*form._steps, *itertools.chain.from_iterable(form._networks)]
        arrays += [form._workspaces[0].exps, form._workspaces[0].d_log_prob[:10]]  # of the last minibatch
        arrays += [value.numpy() for state in policy.adam.values() for value in state.values()]
        for array in map(np.asarray, arrays):
            if array.dtype == np.float32:
                assert not np.any((array != 0) & (np.abs(array) < smallest))
    assert policy.adam["actor"]["step"] > 1000


@pytest.fixture
def helper() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def state_of(policy: PolicyState) -> list[bytes]:
    tensors = [*policy.network.parameters(), *(value for state in policy.adam.values() for value in state.values())]
    return [tensor.detach().numpy().tobytes() for tensor in tensors]


@pytest.mark.parametrize("shape", [PolicyShape(), masked(PolicyShape(60, 70), 0)], ids=["plain", "masked"])
def test_the_bits_are_the_same_on_one_thread_and_on_two(shape: PolicyShape, helper: ThreadPoolExecutor) -> None:
    alone, beside = policy_of(shape), policy_of(shape)
    for seed in range(3):
        batch = played(shape, 8, 50, 120, seed)
        metrics = [
            ppo.update(
                policy, batch, DEFAULT, alignment_lambda=30.0, progress=0.0, generator=np.random.default_rng(seed),
                device=CPU, helper=executor,
            )
            for policy, executor in ((alone, None), (beside, helper))
        ]  # fmt: skip
        assert metrics[0] == metrics[1]
    assert state_of(alone) == state_of(beside)


@pytest.mark.parametrize("fails", [TRAIN_ACTOR, TRAIN_CRITIC], ids=["actor", "critic"])
def test_what_fails_on_either_thread_is_told_and_nobody_goes_on(
    fails: int, helper: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked, ended = compiled_update.run, [], []

    def failing(task: int, *arguments: Any) -> None:
        asked.append((task, threading.current_thread()))
        if len(asked) > 4 and task == fails:  # in the second epoch
            raise MemoryError
        run(task, *arguments)
        if len(asked) > 4:
            time.sleep(0.1)  # the other one is the slower one
        ended.append(task)

    monkeypatch.setattr(compiled_update, "run", failing)
    policy = policy_of(PolicyShape())
    before, batch = state_of(policy), played(PolicyShape(), 4, 50, 60, 0)
    recipe = dataclasses.replace(DEFAULT, target_kl=float("inf"))
    with pytest.raises(MemoryError):
        ppo.update(
            policy, batch, recipe, alignment_lambda=0.0, progress=0.0, generator=np.random.default_rng(0), device=CPU,
            helper=helper,
        )  # fmt: skip
    assert len(asked) == 6
    assert len(ended) == 5
    here = threading.current_thread()
    assert {task for task, thread in asked if thread is here} == {EVALUATE_ACTOR, TRAIN_ACTOR}
    assert {task for task, thread in asked if thread is not here} == {EVALUATE_CRITIC, TRAIN_CRITIC}
    assert (state_of(policy), policy.num_updates) == (before, 0)


def test_inputs_that_nothing_moves_stay_and_those_moved_before_go_on() -> None:
    shape = PolicyShape(observation_size=8, num_actions=5)
    ours, theirs = policy_of(shape), policy_of(shape)
    first, second = played(shape, 4, 20, 30, 0), played(shape, 4, 20, 30, 1)
    for batch, dark in ((first, [2, 5]), (second, [2, 6])):
        batch.observation[:, :, dark] = 0
        update_by(CompiledUpdate, ours, batch, DEFAULT)
        update_by(AutogradUpdate, theirs, batch, DEFAULT)
        if batch is first:
            before = shape.actor.views(ours.network.actor_weights())["hidden_1.weight"]

    after = shape.actor.views(ours.network.actor_weights())["hidden_1.weight"]
    by_torch = shape.actor.views(theirs.network.actor_weights())["hidden_1.weight"]
    fresh = shape.actor.views(policy_of(shape).network.actor_weights())["hidden_1.weight"]
    assert np.array_equal(after[:, 2], fresh[:, 2])
    assert not np.array_equal(after[:, 6], before[:, 6])  # by what Adam remembers
    assert after == pytest.approx(by_torch, abs=1e-4)  # sixteen steps of 1e-3, which rounding may turn a little


def test_an_action_that_the_policy_has_not_is_refused() -> None:
    shape = PolicyShape(observation_size=8, num_actions=5)
    batch = played(shape, 2, 10, 5, 0)
    batch.action[1, 9] = 5
    with pytest.raises(ValueError, match="action 5 is none of the policy's 5"):
        CompiledUpdate(policy_of(shape), Samples.of(batch), DEFAULT, 0.0)


def test_no_gradient_reaches_what_is_masked() -> None:
    """The head's weights of an action that is never possible stay, though entropy would have it likelier."""
    plain = PolicyShape(observation_size=8, num_actions=5)
    shape = dataclasses.replace(plain, mask=Mask((None, None, 3, None, None), (None,) * 5))
    policy = policy_of(shape)
    batch = played(shape, 4, 20, 30, 0)
    batch.observation[:, :, 3] = 0
    batch.action[batch.action == 2] = 1
    before = shape.actor.views(policy.network.actor_weights())["head.weight"]
    metrics = update_by(CompiledUpdate, policy, batch, dataclasses.replace(DEFAULT, ent_coef=0.1))

    after = shape.actor.views(policy.network.actor_weights())["head.weight"]
    assert np.array_equal(after[2], before[2])
    assert not np.array_equal(after[1], before[1])
    assert metrics.entropy <= np.log(4) + 1e-6


def test_adams_state_is_torchs() -> None:
    policy = policy_of(PolicyShape())
    update_by(CompiledUpdate, policy, played(PolicyShape(), 2, 10, 5, 0), DEFAULT)

    for name, parameter in policy.network.named_parameters():
        state = policy.adam[name]
        assert list(state) == ["step", "exp_avg", "exp_avg_sq"]
        assert all(value.dtype == torch.float32 for value in state.values())
        assert state["exp_avg"].shape == state["exp_avg_sq"].shape == parameter.shape


DIGEST = """
import hashlib, sys
sys.path.insert(0, {tests!r})
import numpy as np
import test_compiled_update as t
policy = t.policy_of(t.PolicyShape())
for seed in range(2):
    t.update_by(t.CompiledUpdate, policy, t.played(t.PolicyShape(), 4, 50, 60, seed), t.DEFAULT)
print(hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in policy.network.parameters())).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_bits_are_those_of_another_processor(tmp_path: Path) -> None:
    """Compiled for narrower registers, which is what another processor differs by."""
    digests = set()
    for features in ("", "+sse4.2,+fma,-avx512f,-avx512vl", "-fma,-fma4,-avx,-avx2,-avx512f"):
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / f"cache{len(digests)}{len(features)}")}
        if features:
            environment |= {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}
        done = subprocess.run(
            [sys.executable, "-c", DIGEST.format(tests=str(Path(__file__).parent))],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=200,
        )  # fmt: skip
        digests.add(done.stdout)
    assert len(digests) == 1
