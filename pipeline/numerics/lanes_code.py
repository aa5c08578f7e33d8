"""`lanes` as machine code: each function generates its instructions where it is called.

They read and write memory by address alone, so each says what it takes and refuses all else when it is compiled
(`numba.TypingError`): an array of another type or layout would be read as if it were contiguous float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic, models, register_model

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = 16
"""Numbers in one `Lanes`."""

_Context: TypeAlias = Any  # numba's and llvmlite's, which have no types


class _LanesType(types.Type):
    """What numba takes `Lanes` for."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_VECTOR = ir.VectorType(ir.FloatType(), WIDTH)
_LANES = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    """A vector register, or as many as it takes."""

    def __init__(self, manager: _Context, lanes_type: _LanesType) -> None:
        super().__init__(manager, lanes_type, _VECTOR)


def _require(taken: bool, function: str, *given: _Context) -> None:
    if not taken:
        raise TypingError(f"lanes.{function} does not take ({', '.join(map(str, given))})")


def _is_array(value: _Context) -> bool:
    return isinstance(value, types.Array) and (value.dtype, value.ndim, value.layout) == (types.float32, 1, "C")


def _is_writable_array(value: _Context) -> bool:
    return _is_array(value) and value.mutable


def _are_integers(*values: _Context) -> bool:
    return all(isinstance(value, types.Integer) for value in values)


def _are_lanes(*values: _Context) -> bool:
    return all(isinstance(value, _LanesType) for value in values)


def _address(context: _Context, builder: _Context, array_type: _Context, array: _Context, start: _Context) -> _Context:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), _VECTOR.as_pointer())


def _fused(builder: _Context, first: _Context, second: _Context, added: _Context) -> _Context:
    function_type = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    name = f"llvm.fma.v{WIDTH}f32"
    fused = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(fused, [first, second, added])


def _broadcast(builder: _Context, value: _Context) -> _Context:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))


def _reduced(builder: _Context, lanes: _Context, combine: Callable[[_Context, _Context], _Context]) -> _Context:
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


@intrinsic
def noinline(typing: _Context) -> Any:
    """Keep the compiler from copying the function that calls this one into its callers."""

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic
def load(typing: _Context, values: _Context, start: _Context) -> Any:
    """Return `values[start : start + 16]`."""
    _require(_is_array(values) and _are_integers(start), "load", values, start)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        return builder.load(_address(context, builder, signature.args[0], arguments[0], arguments[1]), align=4)

    return _LANES(values, types.intp), generate


@intrinsic
def store(typing: _Context, values: _Context, start: _Context, lanes: _Context) -> Any:
    """Write to `values[start : start + 16]`."""
    _require(_is_writable_array(values) and _are_integers(start) and _are_lanes(lanes), "store", values, start, lanes)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        place = _address(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return types.none(values, types.intp, _LANES), generate


@intrinsic
def broadcast(typing: _Context, value: _Context) -> Any:
    """Return sixteen times the same."""
    _require(value == types.float32, "broadcast", value)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        return _broadcast(builder, arguments[0])

    return _LANES(types.float32), generate


@intrinsic
def add(typing: _Context, lanes: _Context, others: _Context) -> Any:
    """Return the sums."""
    _require(_are_lanes(lanes, others), "add", lanes, others)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        return builder.fadd(*arguments)

    return _LANES(_LANES, _LANES), generate


@intrinsic
def add_product(typing: _Context, sums: _Context, factor: _Context, lanes: _Context) -> Any:
    """Return `sums + factor * lanes`."""
    _require(_are_lanes(sums, lanes) and factor == types.float32, "add_product", sums, factor, lanes)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        return _fused(builder, _broadcast(builder, arguments[1]), arguments[2], arguments[0])

    return _LANES(_LANES, types.float32, _LANES), generate


@intrinsic
def add_products(typing: _Context, sums: _Context, lanes: _Context, others: _Context) -> Any:
    """Return `sums + lanes * others`."""
    _require(_are_lanes(sums, lanes, others), "add_products", sums, lanes, others)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        return _fused(builder, arguments[1], arguments[2], arguments[0])

    return _LANES(_LANES, _LANES, _LANES), generate


@intrinsic
def transpose_tile(
    typing: _Context,
    values: _Context,
    start: _Context,
    row_step: _Context,
    transposed: _Context,
    transposed_start: _Context,
    transposed_step: _Context,
) -> Any:
    """Write sixteen rows of sixteen to another place, as columns."""
    arrays_fit = _is_array(values) and _is_writable_array(transposed)
    places = (start, row_step, transposed_start, transposed_step)
    _require(arrays_fit and _are_integers(*places), "transpose_tile", values, transposed, *places)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        array, start, row_step, other, other_start, other_step = arguments
        rows = []
        for _ in range(WIDTH):
            rows.append(builder.load(_address(context, builder, signature.args[0], array, start), align=4))
            start = builder.add(start, row_step)
        for row in _transposed(builder, rows):
            builder.store(row, _address(context, builder, signature.args[3], other, other_start), align=4)
            other_start = builder.add(other_start, other_step)
        return context.get_dummy_value()

    signature = types.none(values, types.intp, types.intp, transposed, types.intp, types.intp)
    return signature, generate


@intrinsic
def maximum(typing: _Context, lanes: _Context, others: _Context) -> Any:
    """Return the larger of each pair."""
    _require(_are_lanes(lanes, others), "maximum", lanes, others)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        return _larger(builder, *arguments)

    return _LANES(_LANES, _LANES), generate


@intrinsic
def reduce_sum(typing: _Context, lanes: _Context) -> Any:
    """Return the sum, by halves."""
    _require(_are_lanes(lanes), "reduce_sum", lanes)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        return _reduced(builder, arguments[0], builder.fadd)

    return types.float32(_LANES), generate


@intrinsic
def reduce_max(typing: _Context, lanes: _Context) -> Any:
    """Return the largest, by halves."""
    _require(_are_lanes(lanes), "reduce_max", lanes)

    def generate(context: _Context, builder: _Context, signature: _Context, arguments: _Context) -> _Context:
        return _reduced(builder, arguments[0], lambda first, second: _larger(builder, first, second))

    return types.float32(_LANES), generate
