from __future__ import annotations

import sys

import pytest

from pipeline.cage2.cyborg.placeholders import placeholders


def test_a_module_that_is_not_there_is_stood_in_for_and_forgotten() -> None:
    with placeholders(("not_there_at_all", "json")):
        import json

        import not_there_at_all  # type: ignore[import-not-found] # that is the point
        from not_there_at_all import Anything

        assert isinstance(Anything, type)
        assert json.dumps([]) == "[]"  # one that is there is left alone
        with pytest.raises(AttributeError):
            _ = not_there_at_all.__version__
    assert "not_there_at_all" not in sys.modules
    assert "json" in sys.modules


def test_also_after_an_error() -> None:
    with pytest.raises(KeyError), placeholders(("not_there_at_all",)):
        raise KeyError
    assert "not_there_at_all" not in sys.modules
