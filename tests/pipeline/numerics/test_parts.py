from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numba.core.codegen import JITCodeLibrary

from pipeline.numerics.compiled import COMPILED, compiled, kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

pytestmark = pytest.mark.skipif(not COMPILED, reason="nothing is compiled")


@compiled
def third(value: float) -> float:
    return value / 3.0


@compiled
def through_one(value: float) -> float:
    return third(value) + 1.0


@compiled
def through_other(value: float) -> float:
    return 2.0 * third(value)


def by_two_ways(values: npt.NDArray[np.float64]) -> float:
    total = 0.0
    for value in values:
        total += through_one(value) - through_other(value)
    return total


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what makes kernels of functions, of which nothing is kept."""

    def make(function: Callable[..., object]) -> Any:
        dispatcher: Any = kernel(function)
        monkeypatch.setattr(dispatcher._cache, "_load", lambda *_: None)
        monkeypatch.setattr(dispatcher._cache, "save_overload", lambda *_: None)
        return dispatcher

    return make


def test_a_part_that_is_called_on_two_ways_is_in_the_kernel(uncached: Callable[..., Any]) -> None:
    values = np.arange(5.0)
    assert uncached(by_two_ways)(values) == pytest.approx(5.0 - values.sum() / 3.0)


def test_machine_code_is_made_of_the_kernel_alone(
    uncached: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    finalize = JITCodeLibrary._finalize_specific
    monkeypatch.setattr(
        JITCodeLibrary, "_finalize_specific", lambda library: (made.append(library.name), finalize(library))
    )
    uncached(by_two_ways)(np.arange(3.0))
    assert made == ["by_two_ways"]


def test_the_garbage_collector_rests_while_a_kernel_is_compiled(
    uncached: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rested = []
    finalize = JITCodeLibrary._finalize_specific
    monkeypatch.setattr(
        JITCodeLibrary, "_finalize_specific", lambda library: (rested.append(not gc.isenabled()), finalize(library))
    )
    dispatcher = uncached(by_two_ways)
    dispatcher(np.arange(3.0))
    assert rested == [True]
    assert gc.isenabled()
    gc.disable()
    try:
        dispatcher(np.arange(3, dtype=np.int64))
        assert not gc.isenabled()  # as it was found
    finally:
        gc.enable()
