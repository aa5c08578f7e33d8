"""Normal random numbers that are the same on every processor: uniform ones, taken through the normal quantile.

NumPy's own ask the C library for exp and log now and then, and torch's round by the width of registers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.numerics.compiled import compiled, kernel
from pipeline.numerics.elementary64 import log

if TYPE_CHECKING:
    import numpy.typing as npt

_CENTRE = 0.425
"""Of the distance of a probability from a half: up to it the first of three rational functions holds."""
_FAR = 5.0
"""Of the root of a probability's logarithm: from it on the third one holds."""

# coefficients of numerators and denominators, the highest power first
_CENTRAL = (
    (
        *(2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457),
        *(13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080),
    ),
    (
        *(5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867),
        *(5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.0),
    ),
)
_MIDDLE = (
    (
        *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258),
        *(3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734),
    ),
    (
        *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1),
        *(6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1.0),
    ),
)
_TAIL = (
    (
        *(2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2),
        *(2.96560571828504891230e-1, 1.78482653991729133580, 5.46378491116411436990, 6.65790464350110377720),
    ),
    (
        *(2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4),
        *(1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
    ),
)


def normals(generator: np.random.Generator, *shape: int) -> npt.NDArray[np.float64]:
    """Draw normal numbers of mean 0 and variance 1.

    Args:
        generator: Gives a number of 52 bits for each.
        *shape: Of the result.

    Returns:
        `shape` float64.
    """
    values: npt.NDArray[np.float64] = generator.integers(1 << 52, size=shape).astype(np.float64)
    values += 0.5
    values *= 2.0**-52  # exact, and neither 0 nor 1
    _to_quantiles(values.reshape(-1))
    return values


def quantile(probability: float) -> float:
    """Return the value that a normal number is below with a probability, between 0 and 1; see `_quantile`."""
    values = np.array([probability])
    _to_quantiles(values)
    return float(values[0])


@kernel
def _to_quantiles(values: npt.NDArray[np.float64]) -> None:
    for i in range(len(values)):
        values[i] = _quantile(values[i])


@compiled
def _quantile(probability: float) -> float:
    """Return the normal quantile, to a few units in the last place.

    Source: Wichura (1988), "Algorithm AS 241: The percentage points of the normal distribution", PPND16.
    """
    distance = probability - 0.5
    if abs(distance) <= _CENTRE:
        x = 0.180625 - distance * distance
        return distance * _polynomial(_CENTRAL[0], x) / _polynomial(_CENTRAL[1], x)
    x = np.sqrt(-log(min(probability, 1.0 - probability)))
    if x <= _FAR:
        size = _polynomial(_MIDDLE[0], x - 1.6) / _polynomial(_MIDDLE[1], x - 1.6)
    else:
        size = _polynomial(_TAIL[0], x - _FAR) / _polynomial(_TAIL[1], x - _FAR)
    return -size if distance < 0.0 else size


@compiled
def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    """Return a polynomial's value; coefficients from the highest power on."""
    value = 0.0
    for coefficient in coefficients:
        value = value * x + coefficient
    return value
