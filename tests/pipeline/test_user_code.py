from __future__ import annotations

import hashlib
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline import errors, user_code
from pipeline.user_code import CodeNotFoundError, Found, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = """
from __future__ import annotations
from dataclasses import dataclass
import helper_of_mine

runs = []
runs.append(1)

@dataclass
class Mine:
    x: int
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("mine", "helper_of_mine"):  # as other tests call theirs
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(user_code, "_files", {})
    monkeypatch.setattr(user_code, "_imported", {})
    yield
    for name in set(sys.modules) - before:
        if "mine" in name or "_json" in name:
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Return what writes a file with a helper beside it, and returns its path."""

    def written(text: str = SOURCE, name: str = "mine.py") -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        (path.parent / "helper_of_mine.py").write_text("")
        return str(path)

    return written


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_file_is_run_once_until_it_changes(write: Callable[..., str]) -> None:
    place = write()
    first = find(f"{place}:Mine")
    assert (first.what(3).x, first.sha256) == (3, digest(SOURCE))
    assert find(f"{place}:Mine").what is first.what
    other = SOURCE.replace("x: int", "x: str")  # as many bytes, in the same second
    write(other)
    second = find(f"{place}:Mine")
    assert (second.what.__annotations__, second.sha256) == ({"x": "str"}, digest(other))
    assert first.what.__annotations__ == {"x": "int"}
    assert sys.modules["mine"].runs == [1]


def test_a_file_that_has_become_wrong_leaves_what_was_there(write: Callable[..., str]) -> None:
    place = write()
    first = find(f"{place}:Mine")
    write("1 / 0")
    with pytest.raises(ZeroDivisionError):
        find(f"{place}:Mine")
    write()
    assert find(f"{place}:Mine").what is first.what
    assert sys.modules["mine"].Mine is first.what


def test_one_that_fails_at_once_is_not_there(write: Callable[..., str]) -> None:
    with pytest.raises(ZeroDivisionError):
        find(f"{write('1 / 0')}:Mine")
    assert "mine" not in sys.modules


def test_nothing_is_left_beside_it(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = Path(write()).parent
    find(f"{folder}/mine.py:Mine")
    monkeypatch.chdir(folder)
    del sys.modules["mine"], sys.modules["helper_of_mine"]
    find("mine:Mine")
    assert {path.name for path in folder.iterdir()} == {"mine.py", "helper_of_mine.py"}
    assert not sys.dont_write_bytecode


def test_files_may_be_called_like_others_that_are_there(write: Callable[..., str]) -> None:
    import json

    one, two = write(name="json.py"), write(SOURCE.replace("int", "str"), name="other/json.py")
    for _ in range(2):
        assert find(f"{one}:Mine").what.__annotations__ == {"x": "int"}
        assert find(f"{two}:Mine").what.__annotations__ == {"x": "str"}
    assert sys.modules["json"] is json
    assert find(f"{one}:Mine").what.__module__ != find(f"{two}:Mine").what.__module__


def test_a_file_is_the_same_by_any_name(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(write())
    monkeypatch.chdir(place.parent)
    assert find("mine.py:Mine").what is find(f"{place}:Mine").what
    assert sys.modules["mine"].__file__ == str(place)
    assert find("mine.py:Mine").what is sys.modules["mine"].Mine


def test_a_module_is_found_in_the_working_folder(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(write()).parent)
    assert find("mine:Mine").what(3).x == 3


def test_a_module_has_the_digest_of_what_was_imported(
    write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(write()).parent)
    first = find("mine:Mine")
    write("class Mine: ...")
    assert find("mine:Mine") == first
    assert first.sha256 == digest(SOURCE)
    del sys.modules["mine"]
    again = find("mine:Mine")
    assert (again.what is not first.what, again.sha256) == (True, digest("class Mine: ..."))


def test_a_module_that_others_have_imported_has_that_of_its_file() -> None:
    found = find("pipeline.errors:own_traceback")
    assert found.what is errors.own_traceback
    assert found.sha256 == digest(Path(inspect.getfile(errors)).read_text())


def test_some_have_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)  # as a script's, or a notebook's
    assert find("__main__:__name__") == Found("__main__", None)
    assert find("sys:exit").sha256 is None


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("nowhere.py:Mine", r"^there is no file nowhere\.py$"),
        ("nowhere:Mine", "^there is no module nowhere, here or installed: a file is named with its .py$"),
        ("pipeline.nowhere.deep:Mine", "there is no module pipeline.nowhere,"),
        ("mine.inner:X", "there is no module mine.inner,"),
        ("json.nothing:X", "there is no module json.nothing,"),
        ("mine.py:Mina", r"^there is no Mina in mine\.py: did you mean Mine\?$"),
        ("mine.py:xyz", r"^there is no xyz in mine\.py$"),
        ("folder.py:Mine", r"^folder\.py can't be read: Is a directory$"),
    ],
)
def test_what_is_not_there_is_told(
    reference: str, told: str, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(write()).parent
    (folder / "folder.py").mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(CodeNotFoundError, match=told):
        find(reference)


def test_what_a_module_misses_is_its_own_affair(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(write("import nowhere_to_be_found")).parent)
    for reference in ("mine:Mine", "mine.py:Mine"):
        with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere_to_be_found'"):
            find(reference)
