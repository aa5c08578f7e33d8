from __future__ import annotations

import io
import itertools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from pipeline.export.form import exported, folded_weights
from pipeline.export.names import Form
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import Actions
    from tests.pipeline.export.conftest import MakeTrained

ROOT = Path(__file__).parents[3]
FORMS = get_args(Form)
INTERFACES: list[tuple[bool, Actions]] = [(True, "merged"), (False, "all")]
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
        assert {name: arrays[name].shape for name in arrays}["hidden_1.weight"] == (64, 130)
        assert {arrays[name].dtype.name for name in arrays} == {"float32"}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_policy_gives_the_same_files(form: Form, make_trained: MakeTrained) -> None:
    assert exported(make_trained(), form, FACTS) == exported(make_trained(), form, FACTS)


@pytest.fixture(scope="module")
def complaints(make_trained: MakeTrained, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What lint and types have to say of all, by the project's own rules; each takes seconds to start."""
    folder = tmp_path_factory.mktemp("agents")
    for form, (memory, actions) in itertools.product(FORMS, INTERFACES):
        made = exported(make_trained(memory, actions), form, {})
        (folder / f"{form}_{actions}.py").write_bytes(made.files["agent.py"])
    configured = ("--config", str(ROOT / "pyproject.toml"), "--no-cache", ".")
    commands = (
        ("ruff", "check", "--output-format=concise", *configured),
        ("ruff", "format", "--check", *configured),
        ("mypy", "--strict", "--config-file=", *LIBRARIES_LEFT_OUT, "--cache-dir", str(folder / "cache"), "."),
    )
    told = ""
    for command in commands:
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False, cwd=folder)
        assert done.returncode in (0, 1), done.stderr  # it has nothing to say, or something
        told += done.stdout
    return told


@pytest.mark.parametrize(("memory", "actions"), INTERFACES)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_as_well_kept_as_this_project(
    form: Form, memory: bool, actions: Actions, complaints: str, make_trained: MakeTrained
) -> None:
    assert f"{form}_{actions}.py" not in complaints, complaints
    assert b"@@" not in exported(make_trained(memory, actions), form, {}).files["agent.py"]
