from __future__ import annotations

import pytest
from pydantic import ValidationError

from pipeline.table import Table


class Kitchen(Table):
    num_spoons: int = 3
    """Spoons."""
    is_open: bool = False
    """Whether it is."""


def test_a_table_can_not_be_changed_and_has_no_other_values() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Kitchen().num_spoons = 4
    with pytest.raises(ValidationError, match="Extra inputs"):
        Kitchen(num_forks=1)


def test_its_docstrings_describe_its_values() -> None:
    assert Kitchen.model_fields["num_spoons"].description == "Spoons."


def test_true_is_no_number() -> None:
    assert Kitchen(is_open=True).is_open
    with pytest.raises(ValidationError, match="takes more than true or false"):
        Kitchen(num_spoons=True)
