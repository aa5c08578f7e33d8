"""What an exported agent may need, by name."""

from __future__ import annotations

from typing import Literal

from pipeline import extras

Form = Literal["numpy", "torch", "onnx"]
"""`numpy`: NumPy alone. `torch`: torch alone. `onnx`: onnxruntime and NumPy."""
PACKAGES: dict[Form, tuple[str, ...]] = {"numpy": (), "torch": ("torch",), "onnx": ("onnx", "onnxruntime")}
"""Of extras, what each form takes to be written and compared."""


def require_packages(form: Form) -> None:
    """Check that what a form takes is installed.

    Raises:
        NotInstalledError: It isn't.
    """
    extras.require(f"--format {form}", *PACKAGES[form])
