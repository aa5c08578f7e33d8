"""exp and log in float64, by plain arithmetic: the same bits on every processor, within 1 unit in the last place.

The C library and NumPy choose their code by the processor, and round otherwise from one to another. Polynomials: fdlibm
(Sun Microsystems, netlib.org/fdlibm, `e_exp.c`, `e_log.c`).

`exp` and `log` are for compiled code; `each_exp` and `each_log` take arrays, from Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.numerics.compiled import compiled, kernel

if TYPE_CHECKING:
    import numpy.typing as npt

_INFINITY = np.inf
_LOWEST = -708.0
"""exp of less is taken for 0: down to -745.1 it would be a number, but mostly a subnormal one, which is slow."""
_HIGHEST = 709.4
"""exp of more is taken for infinity: up to 709.78 it would fit."""
_LOG2_E = 1.44269504088896338700
_ROUNDING = 1.5 * 2.0**52
"""Added and subtracted, it rounds to a whole number; the sum's low bits are that number."""
_LN_2_HIGH = 6.93147180369123816490e-01
"""Of few bits: whole numbers times it are exact."""
_LN_2_LOW = 1.90821492927058770002e-10
_EXPONENT_SHIFT = np.int64(52)
_ONE_BITS = np.int64(0x3FF0000000000000)
_ROOT_HALF_BITS = np.int64(0x3FE6A09E00000000)

_EXP_1 = 1.66666666666666019037e-01
_EXP_2 = -2.77777777770155933842e-03
_EXP_3 = 6.61375632143793436117e-05
_EXP_4 = -1.65339022054652515390e-06
_EXP_5 = 4.13813679705723846039e-08

_LOG_1 = 6.666666666666735130e-01
_LOG_2 = 3.999999999940941908e-01
_LOG_3 = 2.857142874366239149e-01
_LOG_4 = 2.222219843214978396e-01
_LOG_5 = 1.818357216161805012e-01
_LOG_6 = 1.531383769920937332e-01
_LOG_7 = 1.479819860511658591e-01


@compiled
def exp(x: float) -> float:
    """Return e to the `x`."""
    clipped = max(min(x, _HIGHEST), _LOWEST)
    shifted = clipped * _LOG2_E + _ROUNDING
    n = shifted - _ROUNDING
    power = np.int64((np.float64(shifted).view(np.int64) << _EXPONENT_SHIFT) + _ONE_BITS).view(np.float64)
    high, low = clipped - n * _LN_2_HIGH, n * _LN_2_LOW
    r = high - low  # x = n * ln 2 + r
    square = r * r
    c = r - square * (_EXP_1 + square * (_EXP_2 + square * (_EXP_3 + square * (_EXP_4 + square * _EXP_5))))
    value = (1.0 - ((low - (r * c) / (2.0 - c)) - high)) * power
    return 0.0 if x < _LOWEST else (_INFINITY if x > _HIGHEST else value)


@compiled
def log(x: float) -> float:
    """Return the natural logarithm of a normal float64 above 0."""
    if not x < _INFINITY:
        return x
    bits = np.float64(x).view(np.int64)
    n = (bits - _ROOT_HALF_BITS) >> _EXPONENT_SHIFT
    f = np.int64(bits - (n << _EXPONENT_SHIFT)).view(np.float64) - 1.0  # x = 2**n * (1 + f), within a root of 2 of 2**n
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (_LOG_2 + w * (_LOG_4 + w * _LOG_6))
    odd = z * (_LOG_1 + w * (_LOG_3 + w * (_LOG_5 + w * _LOG_7)))
    half_square = 0.5 * f * f
    k = np.float64(n)
    return k * _LN_2_HIGH - ((half_square - (s * (half_square + (even + odd)) + k * _LN_2_LOW)) - f)


def each_exp(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `exp` of each value, `[...]` float64."""
    results = values.copy()
    _replace_by_exp(results.reshape(-1))
    return results


def each_log(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `log` of each value, `[...]` float64."""
    results = values.copy()
    _replace_by_log(results.reshape(-1))
    return results


@kernel
def _replace_by_exp(values: npt.NDArray[np.float64]) -> None:
    for i in range(len(values)):
        values[i] = exp(values[i])


@kernel
def _replace_by_log(values: npt.NDArray[np.float64]) -> None:
    for i in range(len(values)):
        values[i] = log(values[i])
