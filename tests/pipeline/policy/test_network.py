from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import UnknownNameError
from pipeline.cage2.facts.orders import one_hot
from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.policy.forward import Actor
from pipeline.policy.network import ActorCritic, create, network_inputs
from pipeline.policy.params import PLAIN, Initialisation, PolicyShape

CPU = torch.device("cpu")


def observations(num: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (num, OBSERVATION_SIZE)).astype(np.int8)


@pytest.mark.parametrize("initialisation", ["orthogonal", "uniform"])
@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_torch_and_numpy_agree(initialisation: Initialisation, scale: float) -> None:
    network = create(np.random.default_rng(3), initialisation)
    with torch.no_grad():
        network.actor.mul_(scale)
    rows = observations(200)
    actor = Actor(network.actor_weights(), PLAIN)

    in_torch = network.log_probs(network_inputs(rows, 42, CPU)).detach().numpy()
    in_numpy = np.stack([actor.distribution(row, 42)[0] for row in rows])

    assert in_torch.shape == (200, NUM_ACTIONS)
    assert in_numpy == pytest.approx(in_torch, abs=1e-5)
    assert np.array_equal(in_numpy.argmax(axis=1), in_torch.argmax(axis=1))


def test_orthogonal_weights_are_orthogonal() -> None:
    network = create(np.random.default_rng(0), "orthogonal")
    for flat, shape, head_gain in ((network.actor, PLAIN.actor, 0.01), (network.critic, PLAIN.critic, 1.0)):
        views = shape.views(flat.detach().numpy())
        for name, gain in (("hidden_1", 2**0.5), ("hidden_2", 2**0.5), ("head", head_gain)):
            weight = views[f"{name}.weight"].astype(np.float64)
            gram = weight @ weight.T if weight.shape[0] <= weight.shape[1] else weight.T @ weight
            assert gram == pytest.approx(gain**2 * np.eye(len(gram)), abs=1e-5)
            assert not views[f"{name}.bias"].any()


def test_a_fresh_policy_is_nearly_uniform() -> None:
    log_probs = create(np.random.default_rng(0), "orthogonal").log_probs(network_inputs(observations(50), 0, CPU))

    assert log_probs.exp().detach().numpy() == pytest.approx(1 / NUM_ACTIONS, rel=0.1)


def test_uniform_weights_keep_their_bound() -> None:
    views = PLAIN.actor.views(create(np.random.default_rng(0), "uniform").actor_weights())
    for name, parameter in views.items():
        bound = (77 if name.startswith("hidden_1") else 64) ** -0.5
        assert 0.9 * bound < np.abs(parameter).max() <= bound


def test_a_seed_is_a_network_whatever_torch_drew_before() -> None:
    first = create(np.random.default_rng(5), "orthogonal")
    state = torch.random.get_rng_state()
    torch.rand(7)
    again, other = create(np.random.default_rng(5), "orthogonal"), create(np.random.default_rng(6), "orthogonal")
    torch.random.set_rng_state(state)

    assert torch.equal(first.actor, again.actor)
    assert torch.equal(first.critic, again.critic)
    assert not torch.equal(first.actor, other.actor)


@pytest.mark.parametrize(
    ("initialisation", "digest"), [("orthogonal", "455d0be8a61b53c2"), ("uniform", "7be91c76331c2f70")]
)
def test_a_seed_is_the_network_that_it_always_was(initialisation: Initialisation, digest: str) -> None:
    """On every processor: a change here makes old results unrepeatable."""
    network = create(np.random.Generator(np.random.PCG64(5)), initialisation)
    weights = network.actor_weights().tobytes() + network.critic.detach().numpy().tobytes()
    assert hashlib.sha256(weights).hexdigest()[:16] == digest


def test_an_initialisation_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown initialisation 'normal': choose one of orthogonal, uniform"):
        create(np.random.default_rng(0), "normal")  # type: ignore[arg-type]  # the mistake


def test_gradients_reach_every_used_parameter() -> None:
    network = create(np.random.default_rng(0), "uniform")
    rows = np.vstack([observations(50), np.ones((1, OBSERVATION_SIZE), np.int8)])
    inputs = network_inputs(rows, np.arange(len(rows)) * 119 // 50, CPU)  # orders enough for each place and type

    (network.log_probs(inputs)[:, 3].sum() + network.values(inputs).sum()).backward()

    assert (network.actor.grad != 0).all()
    assert (network.critic.grad != 0).all()


def test_published_weights_are_a_copy() -> None:
    network = create(np.random.default_rng(0), "orthogonal")
    weights = network.actor_weights()
    before = weights.copy()
    with torch.no_grad():
        network.actor.zero_()

    assert np.array_equal(weights, before)
    assert weights.dtype == np.float32


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="the critic has 9217 values"):
        ActorCritic(torch.zeros(PLAIN.actor.num_values), torch.zeros(PLAIN.actor.num_values), PLAIN)


def test_a_shape_of_its_own_is_kept() -> None:
    shape = PolicyShape(observation_size=150, num_actions=54)
    network = create(np.random.default_rng(0), "orthogonal", shape)
    rows = np.random.default_rng(0).integers(0, 2, (3, 150)).astype(np.int8)
    inputs = network_inputs(rows, np.array([0, 5, 119]), CPU)

    assert network.shape == shape
    assert network.log_probs(inputs).shape == (3, 54)
    assert inputs[:, :150].numpy().tolist() == rows.tolist()
    assert inputs[2, 150:].numpy().tolist() == one_hot(119).tolist()


def test_torch_masks_as_workers_do() -> None:
    shape = PolicyShape.of(Interface(observation_memory=True, actions="merged"))
    network = create(np.random.default_rng(0), "uniform", shape)
    rows = np.random.default_rng(0).integers(0, 2, (200, shape.observation_size)).astype(np.int8)
    log_probs = network.log_probs(network_inputs(rows, 5, CPU)).detach().numpy()
    actor = Actor(network.actor_weights(), shape)
    for row, expected in zip(rows, log_probs, strict=True):
        # masked ones are -1e4 less what the others add up to, of which float32 keeps three decimals
        assert actor.distribution(row, 5)[0] == pytest.approx(expected, abs=1e-5, rel=1e-6)
    assert (log_probs < -1000).any()
    assert (log_probs > -1000).any(axis=1).all()
