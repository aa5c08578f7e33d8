"""In processes of their own, where nothing has been imported."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

INSTALL = "from pipeline.cage2.cyborg.upstream_name import install; install(); install()\n"


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, cwd=folder
    )
    return done.stdout + done.stderr.strip().rpartition("\n")[2]


SAME = """
from CybORG import CybORG
from CybORG.CybORG import CybORG as by_module
from CybORG.Agents import BaseAgent, B_lineAgent, BlueReactRestoreAgent
from CybORG.Agents.SimpleAgents.BaseAgent import BaseAgent as base_by_module
from CybORG.Agents.SimpleAgents.BlueReactAgent import BlueReactRestoreAgent as react_by_module
from CybORG.Agents.SimpleAgents.Meander import RedMeanderAgent
from CybORG.Agents.Wrappers.ChallengeWrapper import ChallengeWrapper
from CybORG.Agents.Wrappers import BlueTableWrapper, ChallengeWrapper as by_package
from CybORG.Shared import Results
from CybORG.Shared.Actions import *

import csle_cyborg.agents, csle_cyborg.main, csle_cyborg.shared.actions
from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper as csle_wrapper
from csle_cyborg.shared.results import Results as csle_results

assert CybORG is by_module is csle_cyborg.main.Main
assert BaseAgent is base_by_module is csle_cyborg.agents.BaseAgent
assert BlueReactRestoreAgent is react_by_module is csle_cyborg.agents.BlueReactRestoreAgent
assert ChallengeWrapper is by_package is csle_wrapper
assert Results is csle_results
assert Monitor is csle_cyborg.shared.actions.Monitor
import sys
print("paramiko" in sys.modules, "stable_baselines3" in sys.modules)
"""


def test_upstreams_names_are_csles_classes(tmp_path: Path) -> None:
    assert run(INSTALL + SAME, tmp_path) == "False False\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("import CybORG.Agents.PPO", "ModuleNotFoundError: No module named 'CybORG.Agents.PPO'"),
        ("from CybORG.Agents import Nobody", "ImportError: cannot import name 'Nobody' from 'CybORG.Agents'"),
        ("import CybORGs", "ModuleNotFoundError: No module named 'CybORGs'"),
    ],
)
def test_what_csle_has_not_is_not_there(line: str, told: str, tmp_path: Path) -> None:
    assert run(INSTALL + line, tmp_path).startswith(told)


def test_the_real_one_comes_first(tmp_path: Path) -> None:
    (tmp_path / "CybORG").mkdir()
    (tmp_path / "CybORG" / "__init__.py").write_text("IS_REAL = True")
    assert run(f"{INSTALL}import CybORG; print(CybORG.IS_REAL)", tmp_path) == "True\n"


def test_nothing_is_there_before(tmp_path: Path) -> None:
    assert run("import CybORG", tmp_path) == "ModuleNotFoundError: No module named 'CybORG'"
