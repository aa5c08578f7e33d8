"""How colours are told from one another, and by whom."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Vector = npt.NDArray[np.float64]

SIGHT: Final = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
"""What is made of linear RGB: Machado, Oliveira and Fernandes (2009), severity 1."""
_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE: Final = _TO_XYZ.sum(axis=1)


def rgb(colour: str) -> tuple[float, float, float]:
    """Return the channels of `#rrggbb`, 0 to 255."""
    red, green, blue = (float(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return red, green, blue


def contrast(one: Iterable[float], other: Iterable[float]) -> float:
    """Return the ratio of WCAG 2, 1 to 21, of two colours (sRGB, 0 to 255)."""
    darker, brighter = sorted(float(_linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (brighter + 0.05) / (darker + 0.05)


def least_distance(colours: Iterable[str]) -> float:
    """Return how far the nearest two of some colours are apart for whom they are nearest: CIE 1976, of L*a*b*."""
    return min(
        float(np.linalg.norm(_lab(sight @ _linear(rgb(one))) - _lab(sight @ _linear(rgb(other)))))
        for one, other in itertools.combinations(colours, 2)
        for sight in SIGHT.values()
    )


def _linear(colour: Iterable[float]) -> Vector:
    share = np.array([*colour]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _lab(linear: Vector) -> Vector:
    share = _TO_XYZ @ np.clip(linear, 0, 1) / _WHITE
    x, y, z = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
