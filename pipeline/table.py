"""A table of values that a user gives: frozen, with nothing in it that has no meaning, and each value documented."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Table(BaseModel):
    """Values by name, each with a docstring; validated when it is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_yes_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what pydantic would take for 1 or 0: `workers = true` in a file."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            msg = "takes more than true or false"
            raise ValueError(msg)
        return value
