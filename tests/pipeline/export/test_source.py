from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from pipeline.cage2.blue import memory
from pipeline.export import source


def test_every_constant_has_a_meaning() -> None:
    constants = {**source.rules().constants, **source.player().constants}
    assert constants.keys() == source.MEANINGS.keys()
    assert all(constants[name] is getattr(memory, name) for name in source.rules().constants)


def test_a_memory_has_the_fields_of_the_compiled_one() -> None:
    made: dict[str, Any] = {"NUM_HOSTS": 13}
    exec(f"class Made: pass\nself = Made()\n{source.remembered()}", made)  # noqa: S102  # what is exported is source
    fields = vars(made["self"])
    of_interface = {"is_merged", "is_seen", "num_actions", "observation_size"}
    assert [*fields] == [name for name in memory.MEMORY.names or () if name not in of_interface]
    assert fields["faked"] == [0] * 13
    assert fields["step"] == 0


def test_constants_are_written_as_they_are() -> None:
    values = {"A": 3, "B": (None,) * 40, "C": tuple(range(1000, 1060)), "D": (1, 2)}
    text = source.written(values, {"A": "small", "B": "all alike", "C": "long", "D": "word " * 30})
    made: dict[str, Any] = {}
    exec(text, made)  # noqa: S102
    assert {name: made[name] for name in values} == values
    assert max(map(len, text.splitlines())) <= 120
    assert "A = 3  # small\nB = (None,) * 40  # all alike\n# long\nC = (\n    1000, 1001" in text


def test_an_installation_without_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(_: object) -> str:
        raise OSError("could not get source code")

    monkeypatch.setattr(inspect, "getsource", no_source)
    with pytest.raises(source.NoSourceError, match=r"that of pipeline\.cage2\.blue\.memory isn't installed"):
        source.rules()
    importlib.invalidate_caches()
