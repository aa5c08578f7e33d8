from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.numerics.compiled import int64, kernel
from pipeline.numerics.matrix import ROWS, TILE
from pipeline.policy.params import HIDDEN_STEP, MlpShape
from pipeline.ppo.compiled import mlp
from pipeline.ppo.compiled.mlp import BLOCK, Mlp, from_flat, new_mlp, to_flat

SHAPE = MlpShape(num_outputs=5, observation_size=3)
SHAPES = [SHAPE, MlpShape(5, 3, (96, 32)), MlpShape(5, 3, (32, 128))]
SIZES = st.tuples(*[st.sampled_from([32, 64, 96, 256])] * 2)
NUM_INPUTS = 3 + 25
BITS = np.random.default_rng(0).random((12, NUM_INPUTS)) < 0.3
"""`[U, I]`, what is seen."""


@kernel
def there(network: Any, rows: Any, first: int, num_rows: int, starts: Any, ones: Any) -> None:
    mlp.update_transposes(network)
    mlp.forward(network, rows, first, num_rows, starts, ones)


@kernel
def and_back(network: Any, rows: Any, first: int, num_rows: int, starts: Any, ones: Any) -> None:
    mlp.backward(network, rows, first, num_rows, starts, ones)


def arrays(network: Mlp) -> list[np.ndarray]:
    return [part for part in network if isinstance(part, np.ndarray)]


def in_plain_order(shape: MlpShape, values: np.ndarray) -> list[np.ndarray]:
    """Return weight and bias of each layer, by input, without padding, in double precision."""
    flat = np.zeros(shape.num_values, np.float32)
    to_flat(shape, np.arange(NUM_INPUTS), values, flat)
    return [part.T.astype(np.float64) for part in shape.views(flat).values()]


def some_network(seed: int, shape: MlpShape = SHAPE) -> Mlp:
    network = new_mlp(shape, NUM_INPUTS)
    flat = np.random.default_rng(seed).normal(0, 0.3, shape.num_values).astype(np.float32)
    from_flat(shape, np.arange(NUM_INPUTS), flat, network.weights)
    return network


@given(st.integers(1, 145), st.integers(0, 60), SIZES)
def test_every_array_begins_at_a_cache_line_and_is_its_own(
    num_outputs: int, num_inputs: int, sizes: tuple[int, int]
) -> None:
    network = new_mlp(MlpShape(num_outputs, hidden_sizes=sizes), num_inputs)
    size_1, size_2 = sizes
    assert network.num_columns % TILE == 0
    assert num_outputs <= network.num_columns < num_outputs + TILE
    for part in arrays(network):
        assert part.ctypes.data % 64 == 0
        assert part.dtype == np.float32
        assert not part.any()
    for number, part in enumerate(arrays(network), start=1):
        part[:] = number
    assert [set(part.tolist()) for part in arrays(network)] == [{number} for number in range(1, 11)]
    assert len(network.weights) == (
        (num_inputs + 1) * size_1 + (size_1 + 1) * size_2 + (size_2 + 1) * network.num_columns
    )


@given(st.integers(1, 145), st.sets(st.integers(0, NUM_INPUTS - 1)), st.integers(0, 1000), SIZES)
def test_what_is_written_back_is_what_was_there(
    num_outputs: int, chosen: set[int], seed: int, sizes: tuple[int, int]
) -> None:
    shape, inputs = MlpShape(num_outputs, 3, sizes), np.array(sorted(chosen), np.int64)
    flat = np.random.default_rng(seed).normal(0, 1, shape.num_values).astype(np.float32)
    network = new_mlp(shape, len(inputs))
    from_flat(shape, inputs, flat, network.weights)
    left_out = np.setdiff1d(np.arange(NUM_INPUTS), inputs)
    assert np.count_nonzero(network.weights) == shape.num_values - sizes[0] * len(left_out)  # padding is 0

    changed = np.zeros_like(flat)
    shape.views(changed)["hidden_1.weight"][:, left_out] = shape.views(flat)["hidden_1.weight"][:, left_out]
    to_flat(shape, inputs, network.weights, changed)
    assert np.array_equal(changed, flat)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape.hidden_sizes))
@pytest.mark.parametrize(("first", "num_rows"), [(0, 1), (3, 4), (1, 6)])
def test_a_block_goes_forward_and_back_as_in_plain_arithmetic(first: int, num_rows: int, shape: MlpShape) -> None:
    network = some_network(first, shape)
    rows = np.random.default_rng(1).permutation(len(BITS))  # of `BITS`, in any order
    starts = np.append(0, np.cumsum(BITS.sum(axis=1)))
    ones = np.ascontiguousarray(np.nonzero(BITS)[1])
    block = rows, int64(first), int64(num_rows), starts, ones
    there(network, *block)
    outputs = network.outputs.reshape(BLOCK, network.num_columns)

    seen = BITS[rows[first : first + num_rows]].astype(np.float64)  # [N, I]
    weight_1, bias_1, weight_2, bias_2, weight_3, bias_3 = in_plain_order(shape, network.weights)
    hidden_1 = np.tanh(seen @ weight_1 + bias_1)
    hidden_2 = np.tanh(hidden_1 @ weight_2 + bias_2)
    # single precision, of sums of at most 128 terms of about 0.3
    assert outputs[:num_rows, :5] == pytest.approx(hidden_2 @ weight_3 + bias_3, abs=2e-6)
    assert not outputs[:, 5:].any()

    at_outputs = np.random.default_rng(2).normal(0, 1, (num_rows, 5))
    outputs[:] = 0
    outputs[:num_rows, :5] = at_outputs
    and_back(network, *block)
    at_sums_2 = (at_outputs @ weight_3.T) * (1 - hidden_2**2)
    at_sums_1 = (at_sums_2 @ weight_2.T) * (1 - hidden_1**2)
    expected = [
        *(seen.T @ at_sums_1, at_sums_1.sum(axis=0)),
        *(hidden_1.T @ at_sums_2, at_sums_2.sum(axis=0)),
        *(hidden_2.T @ at_outputs, at_outputs.sum(axis=0)),
    ]
    for ours, plain in zip(in_plain_order(shape, network.gradient), expected, strict=True):
        assert ours == pytest.approx(plain, abs=1e-5)
    num_unseen = np.count_nonzero(~seen.any(axis=0)) * shape.hidden_sizes[0]
    assert np.count_nonzero(network.gradient) <= sum(part.size for part in expected) - num_unseen


def test_gradients_of_blocks_are_added() -> None:
    network = some_network(0)
    rows, starts, ones = np.zeros(1, np.int64), np.array([0, 2]), np.array([4, 7])
    block = rows, int64(0), int64(1), starts, ones
    gradients = []
    for _ in range(2):
        there(network, *block)
        network.outputs[:] = 0
        network.outputs[0] = 1.0
        and_back(network, *block)
        gradients.append(network.gradient.copy())
    assert np.array_equal(gradients[1], 2 * gradients[0])


def test_blocks_and_hidden_layers_need_no_padding() -> None:
    assert BLOCK % ROWS == HIDDEN_STEP % TILE == 0
