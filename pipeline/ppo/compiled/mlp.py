"""A network as the compiled update works on it: forward and backward, on up to `BLOCK` inputs at once.

    rows of bits --weight_1-->  hidden_1   --weight_2-->    hidden_2   --weight_3-->    outputs
                 gradient  <--  d_hidden <--transposed_2--  d_hidden <--transposed_3--  their gradient

Weights lie input by input, so that one input is added to all outputs side by side; those of the last two layers lie
output by output as well, which is what `backward` reads. Inputs that are 0 in all rows and that Adam has no moments of
are left out: an update leaves their weights and moments as they are, and for small batches they would take much of its
time. The head's outputs are padded to whole tiles; the padding is 0 and stays 0.

Every sum is taken in an order that depends on the numbers of inputs and outputs alone.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.numerics.compiled import compiled, int64
from pipeline.numerics.elementary import tanh
from pipeline.numerics.lanes import add, load, noinline, store
from pipeline.numerics.lanes_code import WIDTH
from pipeline.numerics.matrix import ROWS, TILE, add_matrix_product, add_rows, fill, transpose
from pipeline.policy.params import HIDDEN_STEP

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.policy.params import MlpShape

BLOCK = 64
"""Inputs at once: what is computed of them stays in the nearest caches. A multiple of `ROWS`."""
FIRST = "hidden_1.weight"
"""Of the parameter table: the weights of the inputs."""
_ONE = np.float32(1.0)
_ADJACENT = int64(1)
"""A step from an element to the next."""
if HIDDEN_STEP % TILE:  # hidden layers are not padded, as outputs are
    raise ValueError(f"HIDDEN_STEP is a multiple of {TILE}, not {HIDDEN_STEP}")


class Mlp(NamedTuple):
    """A network of `I` inputs, `H1` and `H2` units in its hidden layers and `C` outputs, padding included.

    All arrays are contiguous, one-dimensional float32; shapes tell how their values lie.
    """

    num_inputs: int
    size_1: int
    """`H1`."""
    size_2: int
    """`H2`."""
    num_outputs: int
    num_columns: int
    """`C`."""
    weights: npt.NDArray[np.float32]
    """`[I, H1]`, bias `[H1]`, `[H1, H2]`, bias `[H2]`, `[H2, C]`, bias `[C]`, one after the other."""
    gradient: npt.NDArray[np.float32]
    """As `weights`."""
    mean: npt.NDArray[np.float32]
    """As `weights`, of Adam; so are its squares' means."""
    mean_square: npt.NDArray[np.float32]
    transposed_2: npt.NDArray[np.float32]
    """`[H2, H1]`: the second layer's weights, output by output."""
    transposed_3: npt.NDArray[np.float32]
    """`[C, H2]`: the head's."""
    hidden_1: npt.NDArray[np.float32]
    """`[BLOCK, H1]`, activations of the first layer."""
    hidden_2: npt.NDArray[np.float32]
    """`[BLOCK, H2]`, of the second; `backward` puts the gradient at the first layer's sums there, `[BLOCK, H1]`."""
    d_hidden: npt.NDArray[np.float32]
    """`[BLOCK, H2]`, the gradient at the second layer's sums."""
    outputs: npt.NDArray[np.float32]
    """`[BLOCK, C]`; before `backward`, the loss's gradient at them."""


def new_mlp(shape: MlpShape, num_inputs: int) -> Mlp:
    """Return a network of zeros with so many of a shape's inputs."""
    (size_1, size_2), columns = shape.hidden_sizes, _padded_columns(shape.num_outputs)
    size = (num_inputs + 1) * size_1 + (size_1 + 1) * size_2 + (size_2 + 1) * columns
    rows = [size_1, max(size_1, size_2), size_2, columns]
    sizes = [size] * 4 + [size_2 * size_1, columns * size_2] + [BLOCK * row for row in rows]
    # every part begins where a cache line does: lanes that lie across two take twice as long
    line = 64 // np.dtype(np.float32).itemsize
    memory = np.zeros(sum(sizes) + line, np.float32)
    start = -(memory.ctypes.data // memory.itemsize) % line
    parts = []
    for length in sizes:
        parts.append(memory[start : start + length])
        start += length
    return Mlp(num_inputs, size_1, size_2, shape.num_outputs, columns, *parts)


def from_flat(
    shape: MlpShape, inputs: npt.NDArray[np.int64], flat: npt.NDArray[np.float32], values: npt.NDArray[np.float32]
) -> None:
    """Write a flat vector of the parameter table in the order of `Mlp.weights`.

    Args:
        shape: The network's.
        inputs: `[I]` int64, which of the shape's inputs the network has.
        flat: `[shape.num_values]` float32.
        values: `[...]` float32, one of `Mlp`'s four that are as its weights; the padding is left alone.
    """
    for ours, theirs in _pairs(shape, inputs, flat, values):
        ours[...] = theirs[inputs] if len(theirs) > len(ours) else theirs


def to_flat(
    shape: MlpShape, inputs: npt.NDArray[np.int64], values: npt.NDArray[np.float32], flat: npt.NDArray[np.float32]
) -> None:
    """Undo `from_flat`; arguments as there. What the flat vector has of other inputs stays."""
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
        columns = _padded_columns(their_shape[0])
        cuts.append((start, (num_rows, their_shape[0], columns), their_start, their_shape))
        start += num_rows * columns
        their_start += math.prod(their_shape)
    return cuts


def _padded_columns(num_outputs: int) -> int:
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
        ones: `[...]` int64, which values are 1.
    """
    noinline()
    size_1, size_2, columns = mlp.size_1, mlp.size_2, mlp.num_columns
    start_2 = (mlp.num_inputs + 1) * size_1
    start_3 = start_2 + (size_1 + 1) * size_2
    num_computed = padded_rows(num_rows)
    weights, hidden_1, hidden_2 = mlp.weights, mlp.hidden_1, mlp.hidden_2
    for i in range(num_computed):
        row = rows[first + i] if i < num_rows else 0
        last = starts[row + 1] if i < num_rows else starts[row]
        for j in range(0, size_1, WIDTH):
            sums = load(weights, mlp.num_inputs * size_1 + j)
            for k in range(starts[row], last):
                sums = add(sums, load(weights, ones[k] * size_1 + j))
            store(hidden_1, i * size_1 + j, sums)
    for i in range(num_computed * size_1):
        hidden_1[i] = tanh(hidden_1[i])
    fill(hidden_2, num_computed, weights[start_2 + size_1 * size_2 :], size_2)
    add_matrix_product(hidden_1, size_1, _ADJACENT, weights[start_2:], size_2, hidden_2, num_computed, size_1)
    for i in range(num_computed * size_2):
        hidden_2[i] = tanh(hidden_2[i])
    fill(mlp.outputs, num_computed, weights[start_3 + size_2 * columns :], columns)
    add_matrix_product(hidden_2, size_2, _ADJACENT, weights[start_3:], columns, mlp.outputs, num_computed, size_2)


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
        mlp: The network, after `forward` of the same block, with the loss's gradient in `mlp.outputs`: 0 in the
            padding, and in the rows that `forward` computed beyond the block.
        rows: As in `forward`, like all others.
        first: See there.
        num_rows: See there.
        starts: See there.
        ones: See there.
    """
    noinline()
    size_1, size_2, columns = mlp.size_1, mlp.size_2, mlp.num_columns
    start_2 = (mlp.num_inputs + 1) * size_1
    start_3 = start_2 + (size_1 + 1) * size_2
    num_computed = padded_rows(num_rows)
    gradient, d_hidden, hidden_1, hidden_2 = mlp.gradient, mlp.d_hidden, mlp.hidden_1, mlp.hidden_2

    add_matrix_product(hidden_2, _ADJACENT, size_2, mlp.outputs, columns, gradient[start_3:], size_2, num_computed)
    add_rows(gradient[start_3 + size_2 * columns :], mlp.outputs, num_computed, columns)
    d_hidden[: num_computed * size_2] = 0
    add_matrix_product(
        mlp.outputs, columns, _ADJACENT, mlp.transposed_3, size_2, d_hidden, num_computed, mlp.num_outputs
    )
    for i in range(num_computed * size_2):
        d_hidden[i] *= _ONE - hidden_2[i] * hidden_2[i]

    add_matrix_product(hidden_1, _ADJACENT, size_1, d_hidden, size_2, gradient[start_2:], size_1, num_computed)
    add_rows(gradient[start_2 + size_1 * size_2 :], d_hidden, num_computed, size_2)
    hidden_2[: num_computed * size_1] = 0  # the second layer's activations are not needed any more
    add_matrix_product(d_hidden, size_2, _ADJACENT, mlp.transposed_2, size_1, hidden_2, num_computed, size_2)
    for i in range(num_computed * size_1):
        hidden_2[i] *= _ONE - hidden_1[i] * hidden_1[i]

    add_rows(gradient[mlp.num_inputs * size_1 :], hidden_2, num_computed, size_1)
    for i in range(num_rows):
        row = rows[first + i]
        for k in range(starts[row], starts[row + 1]):
            for j in range(0, size_1, WIDTH):
                start = ones[k] * size_1 + j
                store(gradient, start, add(load(gradient, start), load(hidden_2, i * size_1 + j)))


@compiled
def update_transposes(mlp: Mlp) -> None:
    """Write the weights of the last two layers into `transposed_2` and `transposed_3`."""
    size_1, size_2, columns = mlp.size_1, mlp.size_2, mlp.num_columns
    start_2 = (mlp.num_inputs + 1) * size_1
    start_3 = start_2 + (size_1 + 1) * size_2
    transpose(mlp.weights[start_2:], size_1, size_2, mlp.transposed_2)
    transpose(mlp.weights[start_3:], size_2, columns, mlp.transposed_3)


@compiled
def padded_rows(num_rows: int) -> int:
    """Return how many rows of a block are computed."""
    return (num_rows + ROWS - 1) // ROWS * ROWS
