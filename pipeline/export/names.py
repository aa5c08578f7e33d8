"""What an exported agent may need, by name."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pipeline.errors import SetupError

Form = Literal["numpy", "torch", "onnx"]
"""`numpy`: NumPy alone. `torch`: torch alone. `onnx`: onnxruntime and NumPy."""
EXTRAS: dict[Form, tuple[str, ...]] = {"onnx": ("onnx", "onnxruntime")}
"""Of the forms that need the extra of their name: what is in it, to write an agent and to compare it."""


class ExtraMissingError(SetupError):
    """An agent is to have a form that can't be written here."""

    def __init__(self, form: Form) -> None:
        super().__init__(f"--format {form} needs the extra: pip install '.[{form}]'")


def require_extra(form: Form) -> None:
    """Check that what a form takes is installed.

    Raises:
        ExtraMissingError: It isn't.
    """
    if any(find_spec(package) is None for package in EXTRAS.get(form, ())):
        raise ExtraMissingError(form)
