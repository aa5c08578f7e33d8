from __future__ import annotations

import random

import numpy as np
import torch

from pipeline.defenders.randomness import seed_generators

SEEDS = (0, 1, 2**32, 2**63, 2**64 - 1)


def drawn(seed: int) -> tuple[float, float, float]:
    seed_generators(seed)
    return random.random(), np.random.random(), float(torch.rand(()))  # noqa: NPY002, S311


def test_each_seed_has_draws_of_its_own_in_all_three() -> None:
    kept = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    draws = [drawn(seed) for seed in SEEDS]
    assert draws == [drawn(seed) for seed in SEEDS]
    assert all(len(set(each)) == len(SEEDS) for each in list(zip(*draws, strict=True))[:2])
    assert draws[0][2] != draws[1][2]  # torch's generator takes the lower 32 bits alone
    random.setstate(kept[0])
    np.random.set_state(kept[1])  # noqa: NPY002
    torch.set_rng_state(kept[2])
