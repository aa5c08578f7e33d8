from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from pipeline.defenders.errors import NoSuchAgentError
from pipeline.defenders.reference import AgentReference, target_of


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with an agent of each kind."""
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text("class Agent: ...\ndef make(): ...\ndef _own(): ...\nx = 3\n")
    Path("broken.py").write_text("class (")
    with zipfile.ZipFile("model.zip", "w") as archive:
        archive.writestr("data", "{}")
    Path("text.zip").write_text("no zip")
    Path("exported").mkdir()
    Path("exported/agent.py").write_text("class Agent: ...")
    return tmp_path


def test_names_of_each_kind(folder: Path) -> None:
    assert target_of("my.py:Agent") == f"{folder}/my.py:Agent"
    assert target_of(f"{folder}/my.py:Agent") == f"{folder}/my.py:Agent"
    assert target_of("package.module:make") == "package.module:make"
    assert target_of("model.zip") == f"{folder}/model.zip"
    assert target_of("exported") == f"{folder}/exported/agent.py:Agent"
    assert target_of("./exported/") == f"{folder}/exported/agent.py:Agent"


@pytest.mark.parametrize("name", ["logs/tuesday", "randon", "a:b/c", "1.2:x", ":x", "x:", "", "a" * 5000, "a b:c"])
def test_what_is_none_of_them(name: str) -> None:
    assert target_of(name) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no.py:X", "there is no file no.py"),
        ("no.zip", "there is no file no.zip"),
        ("no.py", "there is no file no.py"),
        (f"{'a' * 5000}.py:X", "there is no file aaa"),
        ("my.py", r"which class or function of it\? Write my.py:NAME; there are Agent, make$"),
        ("broken.py", "broken.py:NAME; there is none"),
        ("text.zip", "text.zip is no zip file, as Stable-Baselines3 saves its models"),
    ],
)
def test_what_is_not_there_is_told(name: str, told: str) -> None:
    with pytest.raises(NoSuchAgentError, match=told):
        target_of(name)


def test_the_file_that_is_measured_is_known_by_its_digest(folder: Path) -> None:
    def reference(name: str) -> AgentReference:
        return AgentReference(name, target_of(name) or "", (), "stock", False, 60.0)

    assert reference("my.py:Agent").sha256 == hashlib.sha256((folder / "my.py").read_bytes()).hexdigest()
    assert reference("model.zip").sha256 == hashlib.sha256((folder / "model.zip").read_bytes()).hexdigest()
    assert reference("package.module:make").sha256 is None
