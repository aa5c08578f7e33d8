from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.report.facts import gather
from pipeline.report.page import page
from tests.pipeline.report.conftest import NUM_EPISODES

if TYPE_CHECKING:
    from pipeline.report.facts import Facts

MOST_BYTES = 2_000_000
"""What may be mailed."""


def test_the_same_run_gives_the_same_bytes_and_not_too_many(facts: Facts, trained_run: Path) -> None:
    made = page([facts])
    assert page([gather(trained_run, NUM_EPISODES)]) == made
    assert len(made.encode()) < MOST_BYTES


def test_it_needs_nothing_from_elsewhere(facts: Facts) -> None:
    made = page([facts])
    loaded = re.findall(r'<(?:script|link|img|iframe|source)[^>]*(?:src|href)="([^"]*)"', made)
    assert loaded == ["data:,"]
    assert "default-src 'none'" in html.unescape(made)


def test_names_are_text(facts: Facts) -> None:
    hostile = replace(facts, run_dir=Path("<script>alert(1)</script>"), why="<img src=x onerror=alert(2)>")
    made = page([hostile])
    assert "<script>alert(1)" not in made
    assert "<img" not in made


def test_several_runs_are_compared_first(facts: Facts) -> None:
    made = page([facts, replace(facts, run_dir=Path("other"))])
    assert made.index("Side by side") < made.index("What was run")
    assert made.count("How to repeat it") == 2
    assert len(re.findall(r'data-replay="([^"]+)"', made)) == len(set(re.findall(r'data-replay="([^"]+)"', made))) == 4
