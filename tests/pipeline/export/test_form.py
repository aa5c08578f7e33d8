from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest

from pipeline.export.form import exported, folded_weights
from pipeline.export.names import Form
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from tests.pipeline.export.conftest import MakeTrained

ROOT = Path(__file__).parents[3]
FORMS = get_args(Form)
FACTS = {"profile": "head", "red": "B_lineAgent"}
LIBRARIES_LEFT_OUT = ("--follow-imports=skip", "--allow-subclassing-any", "--allow-untyped-calls")
"""torch and NumPy take a type checker minutes."""


def test_the_order_is_folded_into_the_first_bias(make_trained: MakeTrained) -> None:
    trained = make_trained(False, "all")
    arrays = {name: array.astype(np.float64) for name, array in folded_weights(trained).items()}
    observation = np.random.default_rng(0).integers(0, 2, 52).astype(np.int8)
    hidden = np.tanh(arrays["hidden_1.weight"] @ observation + arrays["hidden_1.bias"])
    hidden = np.tanh(arrays["hidden_2.weight"] @ hidden + arrays["hidden_2.bias"])
    logits = arrays["head.weight"] @ hidden + arrays["head.bias"]
    expected, _ = Actor(trained.weights, PolicyShape()).distribution(observation, trained.workflow_id)
    np.testing.assert_allclose(logits - np.log(np.exp(logits).sum()), expected, atol=1e-5)


def test_weights_are_arrays_and_no_pickle(make_trained: MakeTrained) -> None:
    made = exported(make_trained(), "numpy", {})
    with np.load(io.BytesIO(made.files["weights.npz"]), allow_pickle=False) as arrays:
        assert {name: arrays[name].shape for name in arrays}["hidden_1.weight"] == (64, 128)
        assert {arrays[name].dtype.name for name in arrays} == {"float32"}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_policy_gives_the_same_files(form: Form, make_trained: MakeTrained) -> None:
    assert exported(make_trained(), form, FACTS) == exported(make_trained(), form, FACTS)


@pytest.mark.parametrize(("memory", "actions"), [(True, "merged"), (False, "all")])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_as_well_kept_as_this_project(
    form: Form, memory: bool, actions: Any, make_trained: MakeTrained, tmp_path: Path
) -> None:
    """Lint and types, by the project's own rules."""
    path = tmp_path / "agent.py"
    path.write_bytes(exported(make_trained(memory, actions), form, {}).files["agent.py"])
    configured = ("--config", str(ROOT / "pyproject.toml"), "--no-cache", str(path))
    for command in (
        ("ruff", "check", *configured),
        ("ruff", "format", "--check", *configured),
        ("mypy", "--strict", "--config-file=", *LIBRARIES_LEFT_OUT, "--cache-dir", str(tmp_path / "cache"), str(path)),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout
    assert "@@" not in path.read_text()
