from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.export.agent import TrainedAgent
from pipeline.export.form import exported
from pipeline.export.onnx.notes import notes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.export.conftest import MakeTrained

STEPS = 30
RED_AGENTS = ("B_lineAgent", "RedMeanderAgent", "B_lineAgent")


@pytest.mark.parametrize("interface", [Interface(True, "merged"), Interface(False, "merged"), Interface()])
def test_the_example_plays_as_the_policy_does(
    interface: Interface, make_trained: MakeTrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = make_trained(interface.observation_memory, interface.actions, episode_steps=STEPS)
    envs, agents = [FastEnv(red_agent, "head") for red_agent in RED_AGENTS], [TrainedAgent(trained) for _ in RED_AGENTS]
    played = []

    def play(action: Any) -> Any:
        expected = [agent.act(observation) for agent, observation in zip(agents, seen[-1], strict=True)]
        played.append((action.tolist(), expected))
        seen.append(np.array([env.step(each)[0] for env, each in zip(envs, expected, strict=True)], np.int64))
        return seen[-1]

    seen = [np.array([env.reset(seed) for seed, env in enumerate(envs)], np.int64)]
    (tmp_path / "policy.onnx").write_bytes(exported(trained, "onnx", {}).files["policy.onnx"])
    monkeypatch.chdir(tmp_path)
    text = notes(interface, STEPS)
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example is not None
    exec(example[1], {"observation": seen[0], "play": play, "num_games": len(envs)})  # noqa: S102  # what is told
    assert len(played) == STEPS
    assert all(action == expected for action, expected in played)


def test_they_tell_what_the_model_takes() -> None:
    text = notes(Interface(True, "merged"), 100)
    assert "| `state` | `[games, 165]` | the `next_state` of the step before; " in text
    assert "| `probabilities` | `[games, 145]` | of each action, by its id in CybORG's order |" in text
    assert "names the columns" in text
    assert "state" not in notes(Interface(), 100).partition("## The model")[2].partition("```python")[2]
