from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from pathlib import Path

import pytest

from pipeline import types

EVENTS = typing.get_args(types.Event)
CLASSES = [kind for _, kind in inspect.getmembers(types, inspect.isclass) if kind.__module__ == "pipeline.types"]


@pytest.mark.parametrize("kind", CLASSES)
def test_what_passes_between_parts_can_not_be_changed_on_the_way(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind)
    assert kind.__doc__
    assert not [name for name in vars(kind) if not name.startswith("_") and callable(getattr(kind, name))]


def test_every_event_is_one_of_these() -> None:
    assert set(EVENTS) <= set(CLASSES)
    assert len(set(EVENTS)) == len(EVENTS)


def test_types_import_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(types.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "dataclasses", "typing"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
