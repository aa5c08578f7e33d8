from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from pipeline.cage2.cyborg.scenario import cyborg_scenario
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.evaluate.report import AgentDescription, Report
from pipeline.evaluate.results import ScenarioResult
from pipeline.evaluate.scenario import PROTOCOL
from pipeline.export import folder as module
from pipeline.export.agent import TrainedAgent
from pipeline.export.check import AgentDiffersError
from pipeline.export.folder import export
from pipeline.export.names import Form
from pipeline.export.room import ExportFolderError
from pipeline.types import Estimate

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cage2.facts.names import Actions
    from pipeline.evaluate.trained import Trained
    from pipeline.export.folder import Written
    from tests.pipeline.export.conftest import MakeTrained

    ExportOnce = Callable[[Form, bool, Actions], tuple[Trained, Path, Written]]

CONTEST = Path(__file__).with_name("contest.py")
SITE_PACKAGES = sysconfig.get_paths()["purelib"]
FORMS = get_args(Form)
INTERFACES: list[tuple[bool, Actions]] = [(True, "merged"), (True, "all"), (False, "merged"), (False, "all")]


@pytest.fixture(scope="module")
def report() -> Report:
    results = tuple(
        ScenarioResult(scenario, 10, Estimate(-1.5, 0.25), 2.0, Estimate(1.0, 0.0), {"Sleep": 1.0})
        for scenario in PROTOCOL
    )
    agent = AgentDescription(
        "policy",
        run="logs/tuesday",
        workflow_order="user -> ...",
        chosen="the only one",
        num_updates=20,
        num_episodes=1280,
    )
    return Report(agent, "fast", "head", "csle-cyborg 0.0.3", "0.1.0", 0, 10, results)


@pytest.fixture(scope="module")
def export_once(make_trained: MakeTrained, report: Report, tmp_path_factory: pytest.TempPathFactory) -> ExportOnce:
    """Return what exports one agent of each kind, for all tests: to compare 10,000 steps takes a second or two."""

    @cache
    def once(form: Form, memory: bool, actions: Actions) -> tuple[Trained, Path, Written]:
        trained, folder = make_trained(memory, actions), tmp_path_factory.mktemp("agents") / "mine"
        return trained, folder, export(trained, report, form, folder)

    return once


def by_contest(folder: Path, tmp_path: Path, num_episodes: int, num_steps: int) -> dict[str, Any]:
    """What the agent in a folder does in a process that has never heard of this project."""
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps(cyborg_scenario()))
    command = [sys.executable, "-I", "-S", "-B", CONTEST, SITE_PACKAGES, folder, scenario, num_episodes, num_steps]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def by_policy(trained: Trained, red_agent: str, num_episodes: int, num_steps: int) -> list[dict[str, list[int]]]:
    """The same by the run's policy on the engine; that it does what is evaluated is shown in `test_agent`."""
    agent, env, episodes = TrainedAgent(trained), FastEnv(red_agent, "head"), []
    for episode in range(num_episodes):
        actions, rewards = [], []
        # CybORG doesn't say how long an episode is: the first is taken to be as long as in training
        agent.begin(num_steps if episode or red_agent != "B_lineAgent" else trained.config.episode_steps)
        observation = env.reset(episode)
        for _ in range(num_steps):
            actions.append(agent.act(observation))
            observation, reward = env.step(actions[-1])
            rewards.append(reward)
        episodes.append({"actions": actions, "rewards": rewards})
    return episodes


def assert_the_same(trained: Trained, folder: Path, tmp_path: Path, num_episodes: int, num_steps: int) -> set[str]:
    told = by_contest(folder, tmp_path, num_episodes, num_steps)
    for red_agent, episodes in told["played"].items():
        assert episodes == by_policy(trained, red_agent, num_episodes, num_steps)
    assert len(told["played"]) == 2
    return set(told["imported"])


@pytest.mark.parametrize("form", FORMS)
def test_it_plays_on_cyborg_without_this_project(form: Form, export_once: ExportOnce, tmp_path: Path) -> None:
    trained, folder, _ = export_once(form, *INTERFACES[0])
    imported = assert_the_same(trained, folder, tmp_path, num_episodes=2, num_steps=50)
    if form == "numpy":
        assert imported == {"numpy"}
    else:
        assert {"torch": "torch", "onnx": "onnxruntime"}[form] in imported
    if form != "torch":
        assert not imported & {"torch", "onnx"}


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "actions"), INTERFACES)
@pytest.mark.parametrize("form", FORMS)
def test_no_action_in_10_000_steps_is_different(
    form: Form, memory: bool, actions: Any, make_trained: MakeTrained, report: Report, folder: Path, tmp_path: Path
) -> None:
    trained = make_trained(memory, actions)
    export(trained, report, form, folder)
    assert_the_same(trained, folder, tmp_path, num_episodes=50, num_steps=100)


@pytest.mark.parametrize(("memory", "actions"), INTERFACES)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_whole_and_described(
    form: Form, memory: bool, actions: Actions, export_once: ExportOnce
) -> None:
    _, folder, written = export_once(form, memory, actions)
    assert written.num_checked == 10_000
    assert {path.name for path in folder.iterdir()} == set(written.files)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    card = json.loads((folder / "card.json").read_text())
    assert card["form"] == form
    assert card["compared"] == {"steps": 10_000, "actions_different": 0}
    assert card["evaluation"]["total_score"]["mean"] == -13.5
    assert card["configuration"]["actions"] == actions
    readme = (folder / "README.md").read_text()
    assert "| 100 | B_lineAgent | -1.50 | -1.99 to -1.01 | 2.00 |" in readme
    assert "in 10,000 steps: 0 actions were different" in readme


def test_an_empty_folder_is_written_to(make_trained: MakeTrained, report: Report, folder: Path) -> None:
    folder.mkdir(parents=True)
    export(make_trained(), report, "numpy", folder)
    assert (folder / "agent.py").exists()


def test_nothing_is_overwritten(make_trained: MakeTrained, report: Report, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mine").write_text("kept")
    with pytest.raises(ExportFolderError, match="isn't empty"):
        export(make_trained(), report, "numpy", folder)
    assert (folder / "mine").read_text() == "kept"


def test_an_agent_that_differs_is_not_written(
    make_trained: MakeTrained, report: Report, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "num_differing", lambda *_: 3)
    with pytest.raises(AgentDiffersError, match="3 of 10,000 actions are not those of"):
        export(make_trained(), report, "numpy", folder)
    assert not list(folder.parent.iterdir())


def test_a_folder_that_can_not_be_made(make_trained: MakeTrained, report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportFolderError, match=r"can't write to --to '.*/file/mine': .*/file: File exists"):
        export(make_trained(), report, "numpy", tmp_path / "file" / "mine")
