from __future__ import annotations

import importlib
import pickle
import pkgutil

import pytest

import pipeline
from pipeline.command.options import UsageError
from pipeline.errors import PipelineError, SetupError, TravellingError
from pipeline.extras import NotInstalledError
from pipeline.persist.checkpoint import CheckpointError
from pipeline.persist.runs import RunFolderError
from pipeline.ppo.update import NoSuchDeviceError, TrainingDivergedError


@pytest.mark.parametrize(
    "kind",
    [
        UsageError,
        RunFolderError,
        CheckpointError,
        NoSuchDeviceError,
        NotInstalledError,
    ],
)
def test_what_the_user_can_mend_before_the_start_is_a_setup_error(kind: type[Exception]) -> None:
    assert issubclass(kind, SetupError)


def test_what_ends_a_run_is_a_pipeline_error_only() -> None:
    assert issubclass(SetupError, PipelineError)
    assert issubclass(TrainingDivergedError, PipelineError)
    assert not issubclass(TrainingDivergedError, SetupError)


def kinds() -> list[type[Exception]]:
    """All errors whose message is made when they are: pickle would make it again, of the message."""
    found: set[type[Exception]] = set()
    for info in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == info.name:
                found.add(value)
    made = (kind for kind in found if "__init__" in vars(kind) and "__str__" not in vars(kind))
    return sorted(made, key=lambda kind: kind.__qualname__)


def test_an_error_goes_from_process_to_process_as_it_is() -> None:
    """One test of all: to know their kinds, the whole project is imported, which is nothing to do at collection."""
    for kind in kinds():
        error = kind.__new__(kind, "what happened; what to do")
        error.note = 7  # type: ignore[attr-defined]
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
        assert type(again) is kind
        assert (str(again), vars(again)) == ("what happened; what to do", {"note": 7}), kind
        assert isinstance(again, TravellingError), kind


def test_an_error_that_says_more_than_it_is_given_says_it_once() -> None:
    error = NoSuchDeviceError("cuda")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  # our own
