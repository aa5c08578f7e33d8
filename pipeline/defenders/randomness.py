"""The generators that a program has one of, and that an agent draws from if it makes none of its own."""

from __future__ import annotations

import random
import sys

import numpy as np

_WORD = 2**32
_TORCH_SEEDS = 2**63


def seed_generators(seed: int) -> None:
    """Seed those of Python's `random`, of NumPy and, where it has been imported, of torch.

    Args:
        seed: 0 to 2**64 - 1.
    """
    random.seed(seed)
    seed_all_but_pythons(seed)


def seed_all_but_pythons(seed: int) -> None:
    """Seed those that are none of the game's where the agent shares its generator; see `seed_generators`."""
    np.random.seed([seed % _WORD, seed // _WORD])  # noqa: NPY002  # whoever uses it is to have it so
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed % _TORCH_SEEDS)
