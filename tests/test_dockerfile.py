"""The Dockerfile, as far as can be seen without Docker: what it copies is there, and who runs has no rights."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, rest in lines]


def test_what_is_copied_is_there_and_is_what_a_wheel_is_made_of() -> None:
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    sources = {source for group in copied for source in group}
    assert all((ROOT / source).exists() for source in sources)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == sources
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], project["project"]["readme"]} <= sources


def test_it_runs_the_program_as_a_user_without_rights() -> None:
    found = instructions()
    names = [name for name, _ in found]
    last_stage = found[len(names) - 1 - names[::-1].index("FROM") :]
    values = dict(last_stage)
    assert json.loads(values["ENTRYPOINT"]) == ["cage2-pipeline"]
    user = values["USER"]
    assert user not in ("root", "0")
    assert re.search(rf"useradd --uid \d{{4,}} \S+ {user}\b", values["RUN"])
    assert [name for name, _ in last_stage].index("USER") > [name for name, _ in last_stage].index("RUN")


def test_the_extras_are_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (chosen,) = [rest.partition("=")[2] for name, rest in instructions() if name == "ARG" and rest.startswith("EXTRAS")]
    assert set(chosen.split(",")) <= set(extras)
