from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from statistics import NormalDist

import numpy as np
import pytest

from pipeline.numerics.normal import normals, quantile


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("smallest", [1e-1, 1e-3, 1e-9, 2.0**-53])
def test_quantiles_are_the_standard_librarys(smallest: float) -> None:
    for share in generator().uniform(1, 5, 200).tolist():
        probability = share * smallest
        assert quantile(probability) == pytest.approx(NormalDist().inv_cdf(probability), rel=1e-14)
    assert quantile(0.5) == 0
    assert quantile(0.25) == -quantile(0.75)


def test_the_quantile_undoes_the_distribution() -> None:
    for value in np.linspace(-5, 5, 101).tolist():
        assert quantile(NormalDist().cdf(value)) == pytest.approx(value, abs=1e-9)


def test_drawn_numbers_are_normal() -> None:
    num = 400_000
    values = normals(generator(), num // 4, 4)
    assert values.shape == (num // 4, 4)
    flat = np.sort(values.ravel())
    assert abs(flat.mean()) < 5 / np.sqrt(num)
    assert abs(flat.var() - 1) < 5 * np.sqrt(2 / num)
    cumulative = np.array([NormalDist().cdf(value) for value in flat[:: num // 1000].tolist()])
    distance = np.abs(cumulative - np.arange(len(cumulative)) / len(cumulative)).max()
    assert distance < 2 / np.sqrt(num)  # Kolmogorov and Smirnov: by chance in 1 of 1,500 draws


def test_the_extremes_are_numbers() -> None:
    class Ends:
        """Gives the smallest and the largest word."""

        def integers(self, high: int, size: tuple[int, ...]) -> np.ndarray:
            return np.array([0, high - 1])

    low, high = normals(Ends(), 2)  # type: ignore[arg-type]  # has all that is used
    assert low == -high == pytest.approx(-8.2, abs=0.1)


def test_they_have_the_bits_that_they_always_had() -> None:
    """On every processor: a change here makes old results unrepeatable."""
    values = normals(np.random.Generator(np.random.PCG64(7)), 100, 100)
    assert hashlib.sha256(values.tobytes()).hexdigest()[:16] == "6748dbb0ff6900aa"


def test_uncompiled_code_draws_the_same_bits() -> None:
    script = (
        "import numpy as np; from pipeline.numerics.normal import normals\n"
        "from pipeline.numerics.elementary64 import each_exp\n"
        "print(each_exp(normals(np.random.Generator(np.random.PCG64(3)), 2000)).tobytes().hex())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env={**os.environ, "NUMBA_DISABLE_JIT": disable},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for disable in ("0", "1")
    }
    assert len(printed) == 1
