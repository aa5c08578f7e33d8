"""A network as the compiled update works on it: forward and backward, on up to `BLOCK` inputs at once.

    rows of bits --weight_1--> hidden_1 --weight_2--> hidden_2 --weight_3--> outputs
                 <--gradient--  errors  <--across_2--  errors  <--across_3-- their gradient

Weights lie by input, so that the additions of one input to all outputs run side by side, and a second time by output
for the way back. Inputs that no row has, and that Adam has not moved before, are left out: an update would leave their
weights and moments as they are, and for small batches much of its time would be theirs. The head has its outputs
rounded up to whole tiles; what is added is 0 and stays 0.
Every sum is taken in an order that depends on nothing but the numbers of inputs and outputs.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.numerics.compiled import compiled
from pipeline.numerics.elementary import tanh
from pipeline.numerics.lanes import add, keep_apart, load, store
from pipeline.numerics.lanes_code import WIDTH
from pipeline.numerics.matrix import ROWS, TILE, add_matrix_product, add_rows, fill, lay_across
from pipeline.policy.params import HIDDEN_SIZE

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.policy.params import MlpShape

BLOCK = 64
"""Inputs at once: what is computed of them stays in the nearest caches."""
FIRST = "hidden_1.weight"
"""Of the parameter table: the weights of the inputs."""
_ONE = np.float32(1.0)


class Mlp(NamedTuple):
    """A network, Adam's moments, and room to compute in; float32, one-dimensional. `C` outputs, rounded up."""

    num_inputs: int
    num_outputs: int
    num_columns: int
    """`C`."""
    weights: npt.NDArray[np.float32]
    """`[I, H]`, bias `[H]`, `[H, H]`, bias `[H]`, `[H, C]`, bias `[C]`, one after the other."""
    gradient: npt.NDArray[np.float32]
    """As `weights`, like the two that follow."""
    mean: npt.NDArray[np.float32]
    mean_square: npt.NDArray[np.float32]
    across_2: npt.NDArray[np.float32]
    """`[H, H]`, by output."""
    across_3: npt.NDArray[np.float32]
    """`[C, H]`, by output."""
    hidden_1: npt.NDArray[np.float32]
    """`[BLOCK, H]`, like the two that follow."""
    hidden_2: npt.NDArray[np.float32]
    errors: npt.NDArray[np.float32]
    outputs: npt.NDArray[np.float32]
    """`[BLOCK, C]`; before `backward`, the loss's gradient at them."""


def room_for(shape: MlpShape, num_inputs: int) -> Mlp:
    """Return a network of zeros, of some of the shape's inputs."""
    columns = _whole_tiles(shape.num_outputs)
    size = (num_inputs + 1 + HIDDEN_SIZE + 1) * HIDDEN_SIZE + (HIDDEN_SIZE + 1) * columns
    layers = [HIDDEN_SIZE * HIDDEN_SIZE, columns * HIDDEN_SIZE]
    sizes = [size] * 4 + layers + [BLOCK * HIDDEN_SIZE] * 3 + [BLOCK * columns]
    # every part begins where a cache line does: lanes that lie across two take twice as long
    line = 64 // np.dtype(np.float32).itemsize
    room = np.zeros(sum(sizes) + line, np.float32)
    start = -(room.ctypes.data // room.itemsize) % line
    parts = []
    for length in sizes:
        parts.append(room[start : start + length])
        start += length
    return Mlp(num_inputs, shape.num_outputs, columns, *parts)


def spread(
    shape: MlpShape, inputs: npt.NDArray[np.int64], flat: npt.NDArray[np.float32], values: npt.NDArray[np.float32]
) -> None:
    """Write a flat vector of the parameter table in the order of `Mlp.weights`.

    Args:
        shape: The network's.
        inputs: `[I]` int64, which of the shape's inputs the network has.
        flat: `[shape.num_values]` float32.
        values: `[...]` float32, one of `Mlp`'s four; what lies beyond the outputs is left alone.
    """
    for ours, theirs in _pairs(shape, inputs, flat, values):
        ours[...] = theirs[inputs] if len(theirs) > len(ours) else theirs


def gather(
    shape: MlpShape, inputs: npt.NDArray[np.int64], values: npt.NDArray[np.float32], flat: npt.NDArray[np.float32]
) -> None:
    """Write what `spread` wrote back; arguments as there. Of other inputs the flat vector keeps what it has."""
    for ours, theirs in _pairs(shape, inputs, flat, values):
        theirs[inputs if len(theirs) > len(ours) else slice(None)] = ours


def _pairs(
    shape: MlpShape, inputs: npt.NDArray[np.int64], flat: npt.NDArray[np.float32], values: npt.NDArray[np.float32]
) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Return views of each parameter, by input, in `values` and in the flat vector."""
    pairs = []
    for start, (num_rows, num_outputs, columns), their_start, their_shape in _cuts(shape, len(inputs)):
        ours = values[start : start + num_rows * columns].reshape(num_rows, columns)[:, :num_outputs]
        theirs = flat[their_start : their_start + math.prod(their_shape)].reshape(their_shape).T
        pairs.append((ours, theirs))
    return pairs


@functools.lru_cache(maxsize=256)
def _cuts(shape: MlpShape, num_inputs: int) -> list[tuple[int, tuple[int, int, int], int, tuple[int, int]]]:
    """Return where each parameter begins here, its rows, outputs and columns here, and the same in the flat vector."""
    cuts, start, their_start = [], 0, 0
    for name, size in shape.table.items():
        their_shape = size if len(size) == 2 else (size[0], 1)
        num_rows = num_inputs if name == FIRST else their_shape[1]
        columns = _whole_tiles(their_shape[0])
        cuts.append((start, (num_rows, their_shape[0], columns), their_start, their_shape))
        start += num_rows * columns
        their_start += math.prod(their_shape)
    return cuts


def _whole_tiles(num_outputs: int) -> int:
    return -(-num_outputs // TILE) * TILE


@compiled
def forward(
    mlp: Mlp,
    rows: npt.NDArray[np.int64],
    first: int,
    num_rows: int,
    starts: npt.NDArray[np.int64],
    ones: npt.NDArray[np.int64],
) -> None:
    """Compute `mlp.outputs` and the hidden layers.

    Args:
        mlp: The network.
        rows: `[...]` int64, which inputs.
        first: The first of them to be taken.
        num_rows: How many are; at most `BLOCK`. Up to three more are computed, as of an input without ones.
        starts: `[U + 1]` int64, where each input's ones begin in `ones`.
        ones: `[...]` int64, places of the ones.
    """
    keep_apart()
    size, columns = HIDDEN_SIZE, mlp.num_columns
    start_2 = (mlp.num_inputs + 1) * size
    start_3 = start_2 + (size + 1) * size
    num_computed = _whole(num_rows)
    weights, hidden_1, hidden_2 = mlp.weights, mlp.hidden_1, mlp.hidden_2
    for i in range(num_computed):
        row = rows[first + i] if i < num_rows else 0
        last = starts[row + 1] if i < num_rows else starts[row]
        for j in range(0, size, WIDTH):
            sums = load(weights, mlp.num_inputs * size + j)
            for k in range(starts[row], last):
                sums = add(sums, load(weights, ones[k] * size + j))
            store(hidden_1, i * size + j, sums)
    for i in range(num_computed * size):
        hidden_1[i] = tanh(hidden_1[i])
    fill(hidden_2, num_computed, weights[start_2 + size * size :], size)
    add_matrix_product(hidden_1, size, 1, weights[start_2:], size, hidden_2, num_computed, size)
    for i in range(num_computed * size):
        hidden_2[i] = tanh(hidden_2[i])
    fill(mlp.outputs, num_computed, weights[start_3 + size * columns :], columns)
    add_matrix_product(hidden_2, size, 1, weights[start_3:], columns, mlp.outputs, num_computed, size)


@compiled
def backward(
    mlp: Mlp,
    rows: npt.NDArray[np.int64],
    first: int,
    num_rows: int,
    starts: npt.NDArray[np.int64],
    ones: npt.NDArray[np.int64],
) -> None:
    """Add a block's share to `mlp.gradient`.

    Args:
        mlp: The network, after `forward` of the same block, with the loss's gradient in `mlp.outputs`, 0 in the rows
            and columns that no output is in.
        rows: As in `forward`, like all others.
        first: See there.
        num_rows: See there.
        starts: See there.
        ones: See there.
    """
    keep_apart()
    size, columns = HIDDEN_SIZE, mlp.num_columns
    start_2 = (mlp.num_inputs + 1) * size
    start_3 = start_2 + (size + 1) * size
    num_computed = _whole(num_rows)
    gradient, errors, hidden_1, hidden_2 = mlp.gradient, mlp.errors, mlp.hidden_1, mlp.hidden_2

    add_matrix_product(hidden_2, 1, size, mlp.outputs, columns, gradient[start_3:], size, num_computed)
    add_rows(gradient[start_3 + size * columns :], mlp.outputs, num_computed, columns)
    errors[: num_computed * size] = 0
    add_matrix_product(mlp.outputs, columns, 1, mlp.across_3, size, errors, num_computed, mlp.num_outputs)
    for i in range(num_computed * size):
        errors[i] *= _ONE - hidden_2[i] * hidden_2[i]

    add_matrix_product(hidden_1, 1, size, errors, size, gradient[start_2:], size, num_computed)
    add_rows(gradient[start_2 + size * size :], errors, num_computed, size)
    hidden_2[: num_computed * size] = 0  # the room is free by now
    add_matrix_product(errors, size, 1, mlp.across_2, size, hidden_2, num_computed, size)
    for i in range(num_computed * size):
        hidden_2[i] *= _ONE - hidden_1[i] * hidden_1[i]

    add_rows(gradient[mlp.num_inputs * size :], hidden_2, num_computed, size)
    for i in range(num_rows):
        row = rows[first + i]
        for k in range(starts[row], starts[row + 1]):
            for j in range(0, size, WIDTH):
                place = ones[k] * size + j
                store(gradient, place, add(load(gradient, place), load(hidden_2, i * size + j)))


@compiled
def turn(mlp: Mlp) -> None:
    """Bring `across_2` and `across_3` up to the weights."""
    size, columns = HIDDEN_SIZE, mlp.num_columns
    start_2 = (mlp.num_inputs + 1) * size
    start_3 = start_2 + (size + 1) * size
    lay_across(mlp.weights[start_2:], size, size, mlp.across_2)
    lay_across(mlp.weights[start_3:], size, columns, mlp.across_3)


@compiled
def _whole(num_rows: int) -> int:
    return (num_rows + ROWS - 1) // ROWS * ROWS
