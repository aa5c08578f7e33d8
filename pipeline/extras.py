"""What is installed on request: which extra brings a package, and the one line for who hasn't installed it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTRAS: Final[Mapping[str, str]] = {
    "torch": "train",
    "gpytorch": "train",
    "csle_cyborg": "cyborg",
    "ray": "ray",
    "starlette": "watch",
    "uvicorn": "watch",
    "tensorboard": "tensorboard",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "stable_baselines3": "sb3",
    "sb3_contrib": "sb3",
    "matplotlib": "plot",
    "PIL": "gif",
    "optuna": "tune",
}
"""Of each package that is imported only where it is asked for, by the name that it is imported by: its extra."""


class NotInstalledError(SetupError, ImportError):
    """What is asked for needs a package that isn't installed.

    Args:
        what: What is asked for.
        package: What it needs.
        advice: How to get that.
    """

    def __init__(self, what: str, package: str, advice: str) -> None:
        super().__init__(f"{what} needs {package}: {advice}")


def require(what: str, *packages: str) -> None:
    """Check that packages are installed, without importing them.

    Args:
        what: What needs them, as the message begins.
        *packages: Of `EXTRAS`.

    Raises:
        NotInstalledError: One isn't.
    """
    for package in packages:
        advice = f"pip install 'cage2-pipeline[{EXTRAS[package]}]'"
        if find_spec(package) is None:
            raise NotInstalledError(what, package, advice)
