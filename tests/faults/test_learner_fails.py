"""A learner that raises or meets a number that is none: a clear error, the last good weights, a run that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline import Config, Pipeline
from pipeline.command.cli import main
from pipeline.command.process import FAILED
from pipeline.errors import PipelineError
from pipeline.filling import Filling
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.ppo.compiled.update import CompiledUpdate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt
    from conftest import DigestOf, RunPy

RUN: dict[str, Any] = {
    "total_episodes": 48,
    "finals_share": 0,
    "max_episodes_per_workflow": 32,
    "episodes_per_update": 8,
    "evaluation_episodes": 4,
    "workers": 1,
    "collector": "sequential",
}
FAILS_IN = 2
"""Update of the run, from 0, that fails; the two before are good."""


@pytest.fixture(scope="module")
def reference(digest_of: DigestOf) -> str:
    return digest_of(**RUN)


def corrupt(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """Let one step of the failing update's batch arrive as a number that is none."""
    put = Filling.put

    def putting(filling: Filling[Any], row: int, record: Mapping[str, npt.NDArray[np.generic]]) -> None:
        if filling.plan.first_episode == FAILS_IN * RUN["episodes_per_update"] and row == 3:
            log_prob = record["log_prob"].copy()
            log_prob[50] = value
            record = {**record, "log_prob": log_prob}
        put(filling, row, record)

    monkeypatch.setattr(Filling, "put", putting)


def break_the_learner(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    train, num_calls = CompiledUpdate.train, 0

    def failing(*arguments: Any) -> Any:
        nonlocal num_calls
        num_calls += 1
        if num_calls == 2 * 8 + 3:  # in the midst of its epochs: two updates take at most 8 each
            raise error
        return train(*arguments)

    monkeypatch.setattr(CompiledUpdate, "train", failing)


FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "NaN": (lambda patch: corrupt(patch, np.nan), "epoch 0: log_prob is not finite. The policy keeps"),
    "infinity": (lambda patch: corrupt(patch, np.inf), "epoch 0: log_prob is not finite. The policy keeps"),
    "raises": (
        lambda patch: break_the_learner(patch, RuntimeError("no kernel image")),
        "the learner failed: RuntimeError: no kernel image. The policy keeps the weights that it had before",
    ),
    "no memory": (lambda patch: break_the_learner(patch, MemoryError()), "the learner failed: MemoryError: . The"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_update_before_is_kept_and_gone_on_from(
    fault: str, reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause, told = FAULTS[fault]
    config = Config(**RUN, log_dir=tmp_path, run_name="run")
    with monkeypatch.context() as patched:
        cause(patched)
        pipeline = Pipeline(config)
        with pytest.raises(PipelineError) as caught:
            async with pipeline:
                await pipeline.run()
    message = str(caught.value)
    assert message.startswith("workflow 104, update ")
    assert told in message
    assert len(message.splitlines()) == 1

    num_good = int(message.removeprefix("workflow 104, update ").partition(":")[0].partition(",")[0])
    checkpoint = CheckpointFolder(tmp_path / "run").read()
    assert checkpoint is not None
    assert checkpoint.total_updates == num_good > 0
    for policy in checkpoint.policies:
        assert all(bool(tensor.isfinite().all()) for tensor in policy.tensors.values())

    async with Pipeline.resume(tmp_path / "run") as resumed:
        assert (await resumed.run()).digest == reference


def test_a_configuration_that_can_not_be_learned_is_told_in_one_line(
    run_py: RunPy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = run_py(**RUN, log_dir=tmp_path, run_name="run", alignment_lambda=1e30)
    _, told = process.communicate(timeout=60)
    assert process.returncode == FAILED
    assert "Warning" not in told
    assert main(["resume", str(tmp_path / "run")]) == FAILED
    for err in (told, capsys.readouterr().err):
        assert "Traceback" not in err
        *_, last = err.splitlines()
        assert last.startswith("error: workflow 104, update 0, epoch 0: value_loss is not finite. The policy keeps")
        assert "try --recipe default, or a smaller --ppo.learning-rate or --alignment-lambda" in last
    checkpoint = CheckpointFolder(tmp_path / "run").read()
    assert checkpoint is not None
    assert (checkpoint.total_updates, checkpoint.policies) == (0, ())
