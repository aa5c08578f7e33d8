"""What an exported agent may need, by name."""

from __future__ import annotations

from typing import Literal

Form = Literal["numpy", "torch"]
"""`numpy`: NumPy alone. `torch`: torch alone."""
