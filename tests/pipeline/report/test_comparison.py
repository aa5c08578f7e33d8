from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.report.comparison import comparison

if TYPE_CHECKING:
    from pipeline.report.facts import Facts


def test_it_marks_where_configurations_differ_and_nothing_else(facts: Facts) -> None:
    other = replace(facts, run_dir=Path("other"), config=facts.config.model_copy(update={"seed": 9}))
    made = comparison([facts, other])
    assert '<th scope="row">seed</th><td>3</td><td>9</td>' in made
    assert "gp_beta" not in made
    assert "configured alike" in comparison([facts, facts])


def test_every_run_has_its_row_and_its_colour(facts: Facts) -> None:
    made = comparison([facts, replace(facts, run_dir=Path("other"), defender=None)])
    assert '<th scope="row">small</th>' in made
    assert '<th scope="row">other</th><td>none</td>' in made
    assert 'class="key line-0">small' in made
    assert 'class="key line-1">other' in made
