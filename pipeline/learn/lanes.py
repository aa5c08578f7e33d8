"""Sixteen float32 side by side, for compiled loops whose sums have to stay in the processor's registers.

A loop over elements is left to the compiler. Where sixteen sums run through a whole product of matrices, or a sum has
to be taken in an order that is the same on every processor, the loops are written with these.

A processor with narrower registers takes two or four of them for one of these. Nothing is reordered, and products are
added by the fused operation, which every processor rounds alike: the bits are the same on each of them. (One without
that instruction, made before 2013, does it in software, slowly.) Where nothing is compiled, plain Python takes its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from pipeline.cage2.engine.compiled import COMPILED

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

WIDTH = 16
"""Numbers in one `Lanes`."""

Lanes: TypeAlias = Any
"""Sixteen float32; `[16]` float32 where nothing is compiled."""

_Context: TypeAlias = Any  # numba's and llvmlite's, which have no types


def keep_apart() -> None:
    """Keep the function that calls this one from being copied into its callers, which takes seconds to compile."""


def load(values: npt.NDArray[np.float32], start: int) -> Lanes:
    """Return `values[start : start + 16]`; `[...]` float32, contiguous."""
    return values[start : start + WIDTH].copy()


def store(values: npt.NDArray[np.float32], start: int, lanes: Lanes) -> None:
    """Write to `values[start : start + 16]`."""
    values[start : start + WIDTH] = lanes


def spread(value: float) -> Lanes:
    """Return sixteen times the same; `value` is a float32."""
    return np.full(WIDTH, value, np.float32)


def add(lanes: Lanes, others: Lanes) -> Lanes:
    """Return the sums."""
    return lanes + others


def add_product(sums: Lanes, factor: float, lanes: Lanes) -> Lanes:
    """Return `sums + factor * lanes`, rounded once."""
    return (sums + np.float64(factor) * lanes).astype(np.float32)  # the product is exact in float64


def add_products(sums: Lanes, lanes: Lanes, others: Lanes) -> Lanes:
    """Return `sums + lanes * others`, rounded once."""
    return (sums + lanes.astype(np.float64) * others).astype(np.float32)


def transpose(
    values: npt.NDArray[np.float32],
    start: int,
    row_step: int,
    transposed: npt.NDArray[np.float32],
    transposed_start: int,
    transposed_step: int,
) -> None:
    """Write sixteen rows of sixteen to another place, as columns.

    Args:
        values: `[...]` float32; the rows begin at `start`, `row_step` apart.
        start: See there.
        row_step: See there.
        transposed: `[...]` float32; the rows begin at `transposed_start`, `transposed_step` apart.
        transposed_start: See there.
        transposed_step: See there.
    """
    for i in range(WIDTH):
        for j in range(WIDTH):
            transposed[transposed_start + j * transposed_step + i] = values[start + i * row_step + j]


def highest(lanes: Lanes, others: Lanes) -> Lanes:
    """Return the larger of each pair; of a pair with a NaN, the second."""
    return np.where(lanes > others, lanes, others)


def sum_of(lanes: Lanes) -> float:
    """Return the sum, by halves: 16 to 8 to 4 to 2 to 1; float32."""
    width = WIDTH
    while width > 1:
        width //= 2
        lanes = lanes[:width] + lanes[width:]
    return lanes[0]  # type: ignore[no-any-return]


def highest_of(lanes: Lanes) -> float:
    """Return the largest, by halves; float32."""
    width = WIDTH
    while width > 1:
        width //= 2
        lanes = np.where(lanes[:width] > lanes[width:], lanes[:width], lanes[width:])
    return lanes[0]  # type: ignore[no-any-return]


class _LanesType(types.Type):  # type: ignore[misc]  # numba has no types
    """What numba takes `Lanes` for."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_LANES = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]  # numba has no types
    """A vector register, or as many as it takes."""

    def __init__(self, manager: _Context, lanes_type: _LanesType) -> None:
        super().__init__(manager, lanes_type, _VECTOR)


def _place(context: _Context, builder: _Context, array_type: _Context, array: _Context, start: _Context) -> _Context:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), _VECTOR.as_pointer())


def _fused(builder: _Context, first: _Context, second: _Context, added: _Context) -> _Context:
    function_type = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    fused = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.fma.v{WIDTH}f32")
    return builder.call(fused, [first, second, added])


def _spread(builder: _Context, value: _Context) -> _Context:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))


def _folded(builder: _Context, lanes: _Context, combine: Callable[[_Context, _Context], _Context]) -> _Context:
    width = WIDTH
    while width > 1:
        width //= 2
        mask = ir.VectorType(ir.IntType(32), width)
        halves = [
            builder.shuffle_vector(lanes, lanes, ir.Constant(mask, list(range(start, start + width))))
            for start in (0, width)
        ]
        lanes = combine(*halves)
    return builder.extract_element(lanes, ir.Constant(ir.IntType(32), 0))


def _transposed(builder: _Context, rows: list[_Context]) -> list[_Context]:
    """Swap halves between rows that are 8 apart, then quarters between those 4 apart, down to single numbers."""
    distance = WIDTH // 2
    while distance:
        kept = [lane if not lane & distance else lane - distance + WIDTH for lane in range(WIDTH)]
        moved = [lane + distance if not lane & distance else lane + WIDTH for lane in range(WIDTH)]
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), mask) for mask in (kept, moved)]
        swapped = list(rows)
        for row in range(WIDTH):
            if not row & distance:
                pair = rows[row], rows[row + distance]
                swapped[row], swapped[row + distance] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        rows = swapped
        distance //= 2
    return rows


def _larger(builder: _Context, first: _Context, second: _Context) -> _Context:
    return builder.select(builder.fcmp_ordered(">", first, second), first, second)


# the same functions as machine code; numba reads their signatures from what these return
if COMPILED:

    @intrinsic  # type: ignore[no-redef]
    def keep_apart(typing: _Context) -> Any:
        """Keep the function that calls this one from being copied into its callers."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            builder.function.attributes.add("noinline")
            return context.get_dummy_value()

        return types.none(), generate

    @intrinsic  # type: ignore[no-redef]
    def load(typing: _Context, values: _Context, start: _Context) -> Any:
        """Return `values[start : start + 16]`."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return builder.load(_place(context, builder, signature.args[0], arguments[0], arguments[1]), align=4)

        return _LANES(values, types.intp), generate

    @intrinsic  # type: ignore[no-redef]
    def store(typing: _Context, values: _Context, start: _Context, lanes: _Context) -> Any:
        """Write to `values[start : start + 16]`."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            place = _place(context, builder, signature.args[0], arguments[0], arguments[1])
            builder.store(arguments[2], place, align=4)
            return context.get_dummy_value()

        return types.none(values, types.intp, _LANES), generate

    @intrinsic  # type: ignore[no-redef]
    def spread(typing: _Context, value: _Context) -> Any:
        """Return sixteen times the same."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return _spread(builder, arguments[0])

        return _LANES(types.float32), generate

    @intrinsic  # type: ignore[no-redef]
    def add(typing: _Context, lanes: _Context, others: _Context) -> Any:
        """Return the sums."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return builder.fadd(*arguments)

        return _LANES(_LANES, _LANES), generate

    @intrinsic  # type: ignore[no-redef]
    def add_product(typing: _Context, sums: _Context, factor: _Context, lanes: _Context) -> Any:
        """Return `sums + factor * lanes`."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return _fused(builder, _spread(builder, arguments[1]), arguments[2], arguments[0])

        return _LANES(_LANES, types.float32, _LANES), generate

    @intrinsic  # type: ignore[no-redef]
    def add_products(typing: _Context, sums: _Context, lanes: _Context, others: _Context) -> Any:
        """Return `sums + lanes * others`."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return _fused(builder, arguments[1], arguments[2], arguments[0])

        return _LANES(_LANES, _LANES, _LANES), generate

    @intrinsic  # type: ignore[no-redef]
    def transpose(
        typing: _Context,
        values: _Context,
        start: _Context,
        row_step: _Context,
        transposed: _Context,
        transposed_start: _Context,
        transposed_step: _Context,
    ) -> Any:
        """Write sixteen rows of sixteen to another place, as columns."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            array, start, row_step, other, other_start, other_step = arguments
            rows = []
            for _ in range(WIDTH):
                rows.append(builder.load(_place(context, builder, signature.args[0], array, start), align=4))
                start = builder.add(start, row_step)
            for row in _transposed(builder, rows):
                builder.store(row, _place(context, builder, signature.args[3], other, other_start), align=4)
                other_start = builder.add(other_start, other_step)
            return context.get_dummy_value()

        signature = types.none(values, types.intp, types.intp, transposed, types.intp, types.intp)
        return signature, generate

    @intrinsic  # type: ignore[no-redef]
    def highest(typing: _Context, lanes: _Context, others: _Context) -> Any:
        """Return the larger of each pair."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return _larger(builder, *arguments)

        return _LANES(_LANES, _LANES), generate

    @intrinsic  # type: ignore[no-redef]
    def sum_of(typing: _Context, lanes: _Context) -> Any:
        """Return the sum, by halves."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return _folded(builder, arguments[0], builder.fadd)

        return types.float32(_LANES), generate

    @intrinsic  # type: ignore[no-redef]
    def highest_of(typing: _Context, lanes: _Context) -> Any:
        """Return the largest, by halves."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return _folded(builder, arguments[0], lambda first, second: _larger(builder, first, second))

        return types.float32(_LANES), generate
