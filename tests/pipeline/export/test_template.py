from __future__ import annotations

from typing import get_args

import pytest

from pipeline.export.names import Form
from pipeline.export.template import template


@pytest.mark.parametrize("form", get_args(Form))
def test_every_form_has_an_agent_with_gaps(form: Form) -> None:
    text = template(form)
    assert "class Agent(Defender):" in text
    assert "@@CONSTANTS@@" in text
    assert "@@VERSION@@" in text
