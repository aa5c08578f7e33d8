from __future__ import annotations

import subprocess
import sys

import pytest

import pipeline


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after a statement."""
    code = f"import sys; {statement}; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


HEAVY = {"torch", "pydantic", "gpytorch", "rich", "structlog", "scipy", "csle_cyborg", "uvloop"}


@pytest.mark.parametrize("statement", ["import pipeline", "import pipeline.types, pipeline.errors, pipeline.seeding"])
def test_what_workers_import_is_light(statement: str) -> None:
    assert not loaded_by(statement) & HEAVY


def test_the_configuration_comes_without_torch() -> None:
    loaded = loaded_by("from pipeline import Config; Config()")
    assert "pydantic" in loaded
    assert not loaded & (HEAVY - {"pydantic"})


def test_what_is_exported_is_there() -> None:
    from pipeline.config import Config
    from pipeline.export.agent import load_agent
    from pipeline.run.pipeline import Pipeline
    from pipeline.trace.reader import read_traces

    assert (pipeline.Config, pipeline.Pipeline, pipeline.load_agent) == (Config, Pipeline, load_agent)
    assert pipeline.read_traces is read_traces
    assert pipeline.__all__ == ["Config", "Pipeline", "load_agent", "read_traces"]


@pytest.mark.parametrize("collects", ["enable", "disable"])
def test_the_garbage_collector_rests_meanwhile_and_is_left_as_it_was(collects: str) -> None:
    code = (
        f"import gc, pipeline; gc.{collects}(); collects, found = gc.isenabled(), []\n"
        "gc.callbacks.append(lambda phase, _: found.append(phase))\n"
        "pipeline.Config\n"
        "print(gc.isenabled() == collects, len(found) <= 2)"  # it may begin and end at once when it is back
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "True True\n"


def test_anything_else_is_missing_as_usual() -> None:
    with pytest.raises(AttributeError, match="module 'pipeline' has no attribute 'Nothing'"):
        pipeline.Nothing  # noqa: B018  # asking is the test
