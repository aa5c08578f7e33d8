"""A model that Stable-Baselines3 or sb3-contrib has saved. Its zip file holds pickled objects: loading it runs code."""

from __future__ import annotations

import importlib
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

from pipeline import extras
from pipeline.defenders.errors import UnusableAgentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PACKAGES: Final = {
    "PPO": "stable_baselines3",
    "A2C": "stable_baselines3",
    "DQN": "stable_baselines3",
    "MaskablePPO": "sb3_contrib",
    "RecurrentPPO": "sb3_contrib",
}
"""The algorithms, and where each is."""


def load(file: Path, arguments: Mapping[str, str]) -> Any:
    """Return a model, on the CPU.

    Args:
        file: As `model.save` has written it.
        arguments: `algorithm`, one of `PACKAGES`, for a model whose file doesn't tell, and nothing else.

    Raises:
        UnusableAgentError: The file is none of SB3's, or its algorithm isn't known.
        NotInstalledError: The algorithm's package isn't installed.
        Exception: What SB3 raises if it can't load it.
    """
    if unknown := [name for name in arguments if name != "algorithm"]:
        raise UnusableAgentError(f"--agent-arg {unknown[0]}: a model takes no argument but algorithm=NAME")
    algorithm = arguments.get("algorithm") or algorithm_of(file)
    if algorithm not in PACKAGES:
        raise UnusableAgentError(f"--agent-arg algorithm={algorithm}: choose of {', '.join(PACKAGES)}")
    extras.require(f"a model of {algorithm}", PACKAGES[algorithm])
    package = importlib.import_module(PACKAGES[algorithm])
    return getattr(package, algorithm).load(file, device="cpu")


def algorithm_of(file: Path) -> str:
    """Return which algorithm a model is of, by what its file says in plain text.

    Raises:
        UnusableAgentError: It doesn't say.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            data = json.loads(archive.read("data"))
        policy = str(data["policy_class"].get("__module__", ""))
    except (OSError, KeyError, ValueError, AttributeError, TypeError, zipfile.BadZipFile):
        raise UnusableAgentError(f"{file} is no model of Stable-Baselines3's: it holds no data") from None
    if ".maskable." in policy:
        return "MaskablePPO"
    if ".recurrent." in policy:
        return "RecurrentPPO"
    for algorithm, setting in (("PPO", "clip_range"), ("DQN", "exploration_fraction"), ("A2C", "rollout_buffer_class")):
        if setting in data:
            return algorithm
    raise UnusableAgentError(f"{file}: of which algorithm is it? Of {', '.join(PACKAGES)} it is none")
