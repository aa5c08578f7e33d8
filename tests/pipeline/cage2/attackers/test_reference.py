from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline import user_code
from pipeline.cage2.attackers.b_line import BLine
from pipeline.cage2.attackers.errors import AttackerError, AttackerNotFoundError
from pipeline.cage2.attackers.reference import is_reference, load, load_attacker, require_same, source_digests

if TYPE_CHECKING:
    from collections.abc import Callable

MODULE = "pipeline.cage2.attackers.b_line"


@pytest.mark.parametrize("name", ["a:B", "a.b:C_1", "x/y z.py:Mine", "../my.py:_M"])
def test_names_of_ones_own_have_a_colon(name: str) -> None:
    assert is_reference(name)


@pytest.mark.parametrize(
    "name", ["B_lineAgent", "Mixed", "", "a:", ":B", "a:1b", "a:b:c", "a,b:C", "a.py:B C", "a\0:B"]
)
def test_others_have_not(name: str) -> None:
    assert not is_reference(name)


def test_a_module_is_imported() -> None:
    assert load(f"{MODULE}:BLine") is BLine


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere.py:Mine", "there is no file nowhere.py$"),
        ("nowhere:Mine", "there is no module nowhere, here or installed: a file is named with its .py"),
        ("pipeline.nowhere.deep:Mine", "there is no module pipeline.nowhere"),
        (f"{MODULE}:Bline", f"there is no Bline in {MODULE}: did you mean BLine?"),
        (f"{MODULE}:SCRIPT", "not a class or function that makes an attacker"),
    ],
)
def test_what_is_not_there_is_told(name: str, told: str) -> None:
    with pytest.raises(AttackerNotFoundError, match=told):
        load(name)


def test_a_module_that_misses_another_one_fails_by_itself(write: Callable[..., str]) -> None:
    with pytest.raises(AttackerError) as error:
        load(write("import nowhere_to_be_found"))
    lines = str(error.value).splitlines()
    assert lines[0].startswith("Traceback")
    assert [line for line in lines if user_code.__file__ in line or "importlib" in line] == []
    assert lines[-2] == "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    assert lines[-1].startswith("raised by ")


@pytest.mark.parametrize("source", ["def f(:", "raise SystemExit", "1 / 0"])
def test_a_file_that_cannot_be_run_is_told(source: str, write: Callable[..., str]) -> None:
    with pytest.raises(AttackerError, match=r"raised by .*red\.py, to load"):
        load(write(source))


def test_cyborgs_form_is_told_apart(write: Callable[..., str]) -> None:
    cyborgs = write("class Mine:\n    def get_action(self, observation, action_space): ...")
    with pytest.raises(AttackerNotFoundError, match="needs engine 'cyborg'"):
        load_attacker(cyborgs)
    assert callable(load(cyborgs))


def test_a_run_goes_on_with_the_source_that_it_began_with(write: Callable[..., str]) -> None:
    mine = write("class Mine: ...")
    names = ("B_lineAgent", mine, f"{MODULE}:BLine")
    digests = source_digests(names)
    assert digests == {
        mine: hashlib.sha256(b"class Mine: ...").hexdigest(),
        f"{MODULE}:BLine": hashlib.sha256(Path(inspect.getfile(BLine)).read_bytes()).hexdigest(),
    }
    require_same(digests, names)
    write("class Mine: ...\n")
    with pytest.raises(AttackerNotFoundError, match=r"red\.py has changed since .* put it back, or start another run"):
        require_same(digests, names)
    require_same({}, names)
    require_same(digests, names[:1])


def test_a_source_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(AttackerNotFoundError, match=r"there is no file .*gone\.py"):
        source_digests([f"{tmp_path}/gone.py:Mine"])
    with pytest.raises(AttackerNotFoundError, match="there is no module nowhere"):
        source_digests(["nowhere:Mine"])
    with pytest.raises(AttackerNotFoundError, match="its source can't be read"):
        source_digests(["sys:exit"])
