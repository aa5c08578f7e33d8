from __future__ import annotations

from typing import get_args

import pytest

from pipeline.cage2.facts.names import Engine, Observation, Package, Profile, RedAgent, UnknownNameError, require


@pytest.mark.parametrize("kind", [RedAgent, Engine, Package, Profile, Observation])
def test_a_name_that_there_is_passes_and_no_other(kind: object) -> None:
    names = get_args(kind)
    for name in names:
        require("name", name, names)
    for other in ("", names[0].upper(), f"{names[0]} ", None, 0):
        with pytest.raises(UnknownNameError, match=f"unknown name {other!r}: choose one of {', '.join(names)}"):
            require("name", other, names)
