from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.cage2.facts.names import UnknownNameError
from pipeline.cage2.facts.orders import KENDALL
from pipeline.policy.params import PLAIN, SHARED_POLICY, PolicyShape
from pipeline.policy.store import IncompatiblePolicyError, PolicyState, PolicyStore

if TYPE_CHECKING:
    from pathlib import Path


def weights_of(store: PolicyStore) -> dict[int, list[bytes]]:
    return {
        workflow_id: [store.tensors(workflow_id)[name].numpy().tobytes() for name in ("actor", "critic")]
        for workflow_id in store.trained_ids()
    }


def train(policy: PolicyState, num_updates: int = 1) -> None:
    """Step Adam on a loss that depends on the weights and the count alone."""
    for _ in range(num_updates):
        network = policy.network.copy_to("cpu")
        optimizer = torch.optim.Adam(network.parameters())
        for name, parameter in network.named_parameters():
            optimizer.state[parameter] = {key: value.clone() for key, value in policy.adam.get(name, {}).items()}
        target = 0.1 * (policy.num_updates + 1)
        loss = sum((parameter - target).square().mean() for parameter in network.parameters())
        loss.backward()
        optimizer.step()
        policy.network = network
        policy.adam = {name: dict(optimizer.state[parameter]) for name, parameter in network.named_parameters()}
        policy.num_updates += 1
        policy.num_episodes += 32


def test_the_same_object_is_returned_again() -> None:
    store = PolicyStore(0, "orthogonal", PLAIN)

    assert store.get_or_create(3, warm_start=False) is store.get_or_create(3, warm_start=True)
    assert store.ids() == (3,)
    assert store.trained_ids() == ()


def test_fresh_weights_follow_from_seed_and_workflow_alone() -> None:
    first, second = PolicyStore(0, "orthogonal", PLAIN), PolicyStore(0, "orthogonal", PLAIN)
    for workflow_id in (1, 2):
        train(first.get_or_create(workflow_id, warm_start=False))
    three = first.get_or_create(3, warm_start=False).network

    assert torch.equal(three.actor, second.get_or_create(3, warm_start=False).network.actor)
    assert not torch.equal(three.actor, second.get_or_create(4, warm_start=False).network.actor)
    assert not torch.equal(
        three.actor, PolicyStore(1, "orthogonal", PLAIN).get_or_create(3, warm_start=False).network.actor
    )


def test_a_warm_start_copies_the_nearest_trained_order() -> None:
    store = PolicyStore(0, "orthogonal", PLAIN)
    near, far, untrained = 1, 119, 2
    train(store.get_or_create(far, warm_start=True))
    train(store.get_or_create(near, warm_start=True))
    store.get_or_create(untrained, warm_start=False)
    assert KENDALL[0, near] < KENDALL[0, far]

    warm = store.get_or_create(0, warm_start=True)

    source = store.get_or_create(near, warm_start=True)
    assert torch.equal(warm.network.actor, source.network.actor)
    assert torch.equal(warm.network.critic, source.network.critic)
    assert warm.network.actor.data_ptr() != source.network.actor.data_ptr()
    assert (warm.num_updates, warm.num_episodes, len(warm.adam)) == (0, 0, 0)


def initial(*workflow_ids: int) -> dict[int, dict[str, torch.Tensor]]:
    """What another run's policies may be, each of another number."""
    sizes = {"actor": PLAIN.actor.num_values, "critic": PLAIN.critic.num_values}
    return {i: {name: torch.full((size,), float(i)) for name, size in sizes.items()} for i in workflow_ids}


@pytest.mark.parametrize(
    ("others", "workflow_id", "source"),
    [
        ((1, 119), 119, 119),
        ((1, 119), 0, 1),  # the nearest
        ((1, 2, 6), 0, 1),  # of equally near ones the lowest
        ((SHARED_POLICY,), 17, SHARED_POLICY),
        ((SHARED_POLICY,), SHARED_POLICY, SHARED_POLICY),
    ],
)
def test_what_takes_the_place_of_fresh_weights(others: tuple[int, ...], workflow_id: int, source: int) -> None:
    given = initial(*others)
    policy = PolicyStore(0, "orthogonal", PLAIN, given).get_or_create(workflow_id, warm_start=False)
    for name in ("actor", "critic"):
        weights = getattr(policy.network, name)
        assert torch.equal(weights, given[source][name])
        assert weights.data_ptr() != given[source][name].data_ptr()
    assert (policy.num_updates, policy.num_episodes, policy.adam) == (0, 0, {})


def test_a_warm_start_goes_before_what_takes_the_place_of_fresh_weights() -> None:
    store = PolicyStore(0, "orthogonal", PLAIN, initial(3))
    assert torch.equal(store.get_or_create(1, warm_start=True).network.actor, initial(3)[3]["actor"])
    assert store.trained_ids() == ()
    train(store.get_or_create(1, warm_start=True))
    assert not torch.equal(store.get_or_create(2, warm_start=True).network.actor, initial(3)[3]["actor"])


def test_a_warm_start_takes_the_lowest_of_equally_near_orders() -> None:
    neighbours = [i for i in range(120) if KENDALL[60, i] == KENDALL[60].min(where=KENDALL[60] > 0, initial=1)]
    assert len(neighbours) == 4
    store = PolicyStore(0, "orthogonal", PLAIN)
    for workflow_id in reversed(neighbours):
        train(store.get_or_create(workflow_id, warm_start=False))

    warm = store.get_or_create(60, warm_start=True)

    assert torch.equal(warm.network.actor, store.get_or_create(min(neighbours), warm_start=False).network.actor)


def test_without_a_trained_order_a_warm_start_is_fresh() -> None:
    warm = PolicyStore(0, "orthogonal", PLAIN).get_or_create(3, warm_start=True)
    cold = PolicyStore(0, "orthogonal", PLAIN).get_or_create(3, warm_start=False)

    assert torch.equal(warm.network.actor, cold.network.actor)


@pytest.mark.parametrize("num_before", [0, 3])
def test_training_goes_on_from_a_file_as_if_it_had_never_stopped(tmp_path: Path, num_before: int) -> None:
    straight = PolicyStore(0, "orthogonal", PLAIN)
    train(straight.get_or_create(5, warm_start=False), num_before + 2)

    store = PolicyStore(0, "orthogonal", PLAIN)
    policy = store.get_or_create(5, warm_start=False)
    train(policy, num_before)
    save_file(store.tensors(5), tmp_path / "policy.safetensors")
    resumed = PolicyStore(99, "orthogonal", PLAIN)
    loaded = resumed.load(5, load_file(tmp_path / "policy.safetensors"), policy.num_updates, policy.num_episodes)
    train(loaded, 2)

    assert loaded is resumed.get_or_create(5, warm_start=False)
    assert weights_of(resumed) == weights_of(straight)
    expected = straight.tensors(5)
    found = resumed.tensors(5)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert (loaded.num_updates, loaded.num_episodes) == (num_before + 2, 32 * (num_before + 2))


def test_tensors_are_copies() -> None:
    store = PolicyStore(0, "orthogonal", PLAIN)
    policy = store.get_or_create(5, warm_start=False)
    train(policy)
    saved = store.tensors(5)
    before = {name: tensor.clone() for name, tensor in saved.items()}
    train(policy)

    assert set(saved) == {
        f"{prefix}{name}{suffix}"
        for name in ("actor", "critic")
        for prefix, suffix in (("", ""), ("adam.", ".step"), ("adam.", ".exp_avg"), ("adam.", ".exp_avg_sq"))
    }
    assert all(torch.equal(saved[name], before[name]) for name in saved)


def test_other_tensors_are_refused() -> None:
    store = PolicyStore(0, "orthogonal", PLAIN)
    train(store.get_or_create(5, warm_start=False))
    good = store.tensors(5)
    bad = (
        {name: tensor for name, tensor in good.items() if name != "adam.critic.exp_avg_sq"},
        good | {"actor": torch.zeros(PLAIN.actor.num_values + 1)},
        good | {"actor": good["actor"].double()},
    )
    for tensors in bad:
        with pytest.raises(IncompatiblePolicyError, match="workflow 6"):
            store.load(6, tensors, 1, 32)
    assert store.ids() == (5,)


def test_a_policy_of_another_interface_is_refused() -> None:
    other = PolicyStore(0, "orthogonal", PolicyShape(93, 36))
    policy = other.get_or_create(5, warm_start=False)
    assert policy.network.shape == policy.copy().network.shape == PolicyShape(93, 36)
    with pytest.raises(IncompatiblePolicyError, match="--observation-memory"):
        PolicyStore(0, "orthogonal", PLAIN).load(5, other.tensors(5), 0, 0)


def test_a_copy_shares_nothing() -> None:
    policy = PolicyStore(0, "orthogonal", PLAIN).get_or_create(5, warm_start=False)
    train(policy, 2)
    weights, moment = policy.network.actor.detach().clone(), policy.adam["actor"]["exp_avg"].clone()
    copied = policy.copy()
    assert torch.equal(copied.network.actor, weights)
    for theirs in (copied.network.actor.data, copied.adam["actor"]["exp_avg"], copied.adam["critic"]["step"]):
        theirs += 1
    assert torch.equal(policy.network.actor, weights)
    assert torch.equal(policy.adam["actor"]["exp_avg"], moment)
    assert policy.adam["critic"]["step"].item() == copied.num_updates == 2


def test_an_initialisation_that_there_is_not_is_refused() -> None:
    """It once passed for `uniform`."""
    with pytest.raises(UnknownNameError, match="unknown initialisation 'normal': choose one of orthogonal, uniform"):
        PolicyStore(0, "normal", PLAIN)


def test_a_renewed_policy_is_a_fresh_one_whose_counts_go_on() -> None:
    store = PolicyStore(0, "orthogonal", PLAIN)
    policy = store.get_or_create(7, warm_start=False)
    first = policy.network.copy_to("cpu")
    train(policy, 3)
    renewed = store.renew(7)
    assert renewed is store.get_or_create(7, warm_start=False)
    assert torch.equal(renewed.network.actor, first.actor)
    assert torch.equal(renewed.network.critic, first.critic)
    assert (renewed.adam, renewed.num_updates, renewed.num_episodes) == ({}, 3, 96)
    with pytest.raises(KeyError):
        store.renew(8)
