"""Graphs that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Arrays = dict[str, npt.NDArray[Any]]
    Run = Callable[..., Arrays]


@pytest.fixture(scope="session")
def runnable() -> Callable[[bytes], Run]:
    """Return what makes a function of a model's file: it takes what the model takes, or more, by name."""

    def make(content: bytes) -> Run:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        takes = [each.name for each in session.get_inputs()]
        returns = [each.name for each in session.get_outputs()]

        def run(**given: npt.ArrayLike) -> Arrays:
            values = session.run(None, {name: np.asarray(given[name]) for name in takes})
            return dict(zip(returns, values, strict=True))

        return run

    return make
