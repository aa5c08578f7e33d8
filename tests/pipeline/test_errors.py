from __future__ import annotations

import pytest

from pipeline.cage2.cyborg.env import CyborgNotInstalledError
from pipeline.command.options import UsageError
from pipeline.errors import PipelineError, SetupError
from pipeline.observe.tensorboard import TensorBoardMissingError
from pipeline.persist.checkpoint import CheckpointError
from pipeline.persist.runs import RunFolderError
from pipeline.ppo.update import NoSuchDeviceError, TrainingDivergedError


@pytest.mark.parametrize(
    "kind",
    [
        UsageError,
        RunFolderError,
        CheckpointError,
        CyborgNotInstalledError,
        NoSuchDeviceError,
        TensorBoardMissingError,
    ],
)
def test_what_the_user_can_mend_before_the_start_is_a_setup_error(kind: type[Exception]) -> None:
    assert issubclass(kind, SetupError)


def test_what_ends_a_run_is_a_pipeline_error_only() -> None:
    assert issubclass(SetupError, PipelineError)
    assert issubclass(TrainingDivergedError, PipelineError)
    assert not issubclass(TrainingDivergedError, SetupError)
