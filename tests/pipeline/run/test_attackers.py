from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from pipeline.cage2.attackers.errors import AttackerNotFoundError
from pipeline.cage2.attackers.reference import source_digests
from pipeline.config import Config
from pipeline.persist.runs import RunFolderError
from pipeline.run.attackers import require_told, with_attackers

RUN = Path("logs/tuesday")
CYBORGS = "class Mine:\n    def get_action(self, observation, action_space): ..."


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "red.py").write_text("class Mine: ...")
    return f"{tmp_path}/red.py:Mine"


def test_a_run_notes_the_sources_of_its_attackers(mine: str) -> None:
    config = with_attackers(Config(red_agent=f"B_lineAgent,{mine}"))
    assert config.red_sha256 == source_digests([mine])
    assert with_attackers(config) == config
    assert with_attackers(Config()) == Config()


def test_a_source_that_has_changed_is_refused(mine: str) -> None:
    config = with_attackers(Config(red_agent=mine))
    Path(mine.partition(":")[0]).write_text("class Mine: pass")
    with pytest.raises(AttackerNotFoundError, match=r"has changed since the run against .* began"):
        with_attackers(config)


def test_a_module_that_has_changed_since_it_was_imported_has_its_digest_of_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    source = Path("red_that_changes.py")
    source.write_text("class Mine: ...")
    for _ in range(2):
        config = with_attackers(Config(red_agent="red_that_changes:Mine"))
        assert config.red_sha256 == {config.red_agent: hashlib.sha256(b"class Mine: ...").hexdigest()}
        source.write_text("class Mine: pass")
    del sys.modules["red_that_changes"]  # as another process, which would play against another one
    with pytest.raises(AttackerNotFoundError, match="has changed since"):
        with_attackers(config)


def test_mistakes_are_found_before_anything_is_written(mine: str) -> None:
    with pytest.raises(AttackerNotFoundError, match="there is no Other"):
        with_attackers(Config(red_agent=mine.replace("Mine", "Other")))
    Path(mine.partition(":")[0]).write_text(CYBORGS)
    with pytest.raises(AttackerNotFoundError, match="needs engine 'cyborg'"):
        with_attackers(Config(red_agent=mine))
    assert with_attackers(Config(red_agent=mine, engine="cyborg")).red_sha256


def test_code_is_not_run_by_a_folders_word() -> None:
    own = Config(red_agent="B_lineAgent,a.py:Mine")
    require_told(RUN, own, "B_lineAgent,a.py:Mine")
    require_told(RUN, Config(), None)
    require_told(RUN, Config(), "B_lineAgent")
    with pytest.raises(RunFolderError, match="is code, and not run by a folder's word: give --red-agent B_lineAgent,a"):
        require_told(RUN, own, None)
    for other in ("a.py:Mine", "B_lineAgent"):
        with pytest.raises(RunFolderError, match="that can't change, start another run"):
            require_told(RUN, own, other)
