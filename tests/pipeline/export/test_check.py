from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.export.agent import TrainedAgent
from pipeline.export.check import agent_in, num_differing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.export.conftest import MakeTrained


class Sleepy:
    """Sleeps at every third step, and else does as another does."""

    def __init__(self, agent: TrainedAgent) -> None:
        self.agent, self.num_steps = agent, 0

    def begin(self, num_steps: int) -> None:
        self.agent.begin(num_steps)

    def act(self, observation: Any, view: Any = None) -> int:
        action = self.agent.act(observation)
        self.num_steps += 1
        return 200 if self.num_steps % 3 == 0 else action


def test_differing_actions_are_counted(make_trained: MakeTrained) -> None:
    trained = make_trained(episode_steps=7)
    assert num_differing(trained, TrainedAgent(trained), 40) == 0
    assert num_differing(trained, Sleepy(TrainedAgent(trained)), 40) == 13


def test_an_agent_is_loaded_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("class Agent:\n    name = 'mine'\n")
    agent: Any = agent_in(tmp_path)
    assert agent.name == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["agent.py"]
    assert "_exported_agent" not in sys.modules
    with pytest.raises(FileNotFoundError):
        agent_in(tmp_path / "nowhere")
