"""Sixteen float32 side by side, for compiled loops whose sums have to stay in the processor's registers.

A loop over elements is left to the compiler. Where sixteen sums run through a whole product of matrices, or a sum has
to be taken in an order that is the same on every processor, the loops are written with these.

A processor with narrower registers takes two or four of them for one of these. Nothing is contracted or reordered, so
the bits are the same on each of them, and the same as those of the plain Python that this is when nothing is compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba.core import types
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
    """Return `sums + factor * lanes`, each product rounded before it is added."""
    return sums + np.float32(factor) * lanes


def add_products(sums: Lanes, lanes: Lanes, others: Lanes) -> Lanes:
    """Return `sums + lanes * others`, each product rounded before it is added."""
    return sums + lanes * others


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


def _larger(builder: _Context, first: _Context, second: _Context) -> _Context:
    return builder.select(builder.fcmp_ordered(">", first, second), first, second)


# the same functions as machine code; numba reads their signatures from what these return
if COMPILED:

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
            return builder.fadd(arguments[0], builder.fmul(_spread(builder, arguments[1]), arguments[2]))

        return _LANES(_LANES, types.float32, _LANES), generate

    @intrinsic  # type: ignore[no-redef]
    def add_products(typing: _Context, sums: _Context, lanes: _Context, others: _Context) -> Any:
        """Return `sums + lanes * others`."""

        def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
            return builder.fadd(arguments[0], builder.fmul(arguments[1], arguments[2]))

        return _LANES(_LANES, _LANES, _LANES), generate

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
