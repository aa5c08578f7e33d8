from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.watch.wire import to_json


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    values: tuple[float, ...]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (math.nan, None),
        ([math.inf, -math.inf, 1.5], [None, None, 1.5]),
        (np.array([1.0, np.nan, 0.1234567891]), [1, None, 0.1234568]),
        (1_700_000_000.1234567, 1_700_000_000.123),
        (Record("</script>", (1.0, 2.5)), {"name": "</script>", "values": [1, 2.5]}),
        ({3: Colour.RED, "path": Path("a/b")}, {"3": "red", "path": "a/b"}),
        ([None, True, 2**53, "text"], [None, True, 2**53, "text"]),
        ("\udcff", "\udcff"),
    ],
)
def test_everything_is_json(value: Any, sent: Any) -> None:
    assert json.loads(to_json(value)) == sent
