"""The documentation as a site, built as `make docs` builds it: a broken link or anchor is an error."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r'<(?:script|img|iframe|link rel="(?:stylesheet|preconnect)")[^>]*(?:src|href)="(http[^"]*)')
"""What a page has the browser ask others for."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_load_nothing_from_others(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        loaded = LOADED.findall(page.read_text())
        assert loaded == [], page


def test_commands_and_configuration_are_there_as_they_are(site: Path) -> None:
    commands = (site / "commands" / "index.html").read_text()
    assert 'id="evaluate"' in commands
    assert "--concurrent-visits" in commands
    reference = (site / "reference" / "python" / "index.html").read_text()
    assert 'id="pipeline.config.Config.concurrent_visits"' in reference


def test_links_to_examples_lead_to_their_pages(site: Path) -> None:
    assert 'href="../examples/my_agent.py/"' in (site / "referee" / "index.html").read_text()
    assert "class" in (site / "examples" / "my_agent.py" / "index.html").read_text()
