"""What is sent to the page: JSON, without NaN, numbers to as many digits as a picture needs."""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np

_DIGITS: Final = 7
"""Significant ones of what is not whole."""
_LARGE: Final = 1e5
"""From which on three decimals are sent: a moment, in seconds since 1970, has ten digits before them."""


def to_json(value: object) -> str:
    """Return a value as JSON: dataclasses as objects, arrays as lists, what is no finite number as null."""
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":"))


def plain(value: Any) -> Any:
    """Return a value as what JSON can hold."""
    if isinstance(value, np.ndarray):
        return [_number(each) for each in value.tolist()]
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "items"):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _number(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    whole = int(value)
    if whole == value:
        return whole
    return round(value, 3) if abs(value) >= _LARGE else float(f"{value:.{_DIGITS}g}")
