from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "pictures"
MOST_BYTES = 1_500_000
"""That all of them together may add to a clone."""


def test_each_is_shown_and_described_and_all_are_small() -> None:
    shown = {
        (page.parent / path).resolve(): words
        for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md")
        for words, path in re.findall(r"!\[([^\]]*)\]\(([^)]*\.png)\)", page.read_text(encoding="utf-8"))
    }
    assert shown.keys() == {*PICTURES.glob("*.png")} != set()
    assert all(len(words.split()) > 8 for words in shown.values())
    assert sum(path.stat().st_size for path in shown) < MOST_BYTES


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_they_are_made_by_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("playwright.sync_api", reason="playwright, which drives a browser, is missing")
    bench = import_module("pictures")
    if bench.find_browser() is None:
        pytest.skip("there is no Chromium on this machine")
    monkeypatch.setattr("sys.argv", ["pictures.py", "--episodes=960", "--played=20", f"--to={tmp_path}"])
    assert bench.main() == 0
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in PICTURES.glob("*.png")}
