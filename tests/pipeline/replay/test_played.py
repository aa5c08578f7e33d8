from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.defenders.reference import AgentReference, target_of
from pipeline.evaluate.task import Policy
from pipeline.policy.critic import Critic
from pipeline.replay.errors import ReplayError
from pipeline.replay.played import NO_AGENT, play, read, read_worst, worst_of
from pipeline.seeding import Purpose
from pipeline.trace.seen import as_bits
from pipeline.trace.trace import as_line
from tests.pipeline.replay.conftest import chosen

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.evaluate.trained import Trained
    from pipeline.replay.played import Played


@pytest.mark.parametrize("agent", ["policy", "restore", "Sleep"])
def test_the_worst_of_some_is_the_worst(agent: str, trained: Trained) -> None:
    who, player = (trained, Policy(trained.weights, 17, greedy=False)) if agent == "policy" else (agent, agent)
    episodes = chosen(num_episodes=30)
    returns = [trace.total_reward for trace in episodes.play(player)]
    heard: list[int] = []
    assert worst_of(who, episodes, note_progress=heard.append) == returns.index(min(returns))
    assert sum(heard) == 30


def test_the_worst_is_one_of_an_evaluation(trained: Trained) -> None:
    for episodes in (replace(chosen(num_episodes=3), purpose=Purpose.TRAINING), chosen(1, num_episodes=3)):
        with pytest.raises(ReplayError, match="among the episodes of an evaluation"):
            worst_of(trained, episodes)


def test_a_value_is_the_critics_in_points(played: Played, trained: Trained) -> None:
    critic = Critic(trained.critic, trained.shape)
    for frame, step in zip(played.replay().frames, played.trace.steps, strict=False):
        value = critic.value(as_bits(step.blue.saw, trained.shape.observation_size), 17)
        assert frame.thought is not None
        assert frame.thought.value == round(100 * value, 2)


def test_a_critic_of_standardised_returns_gives_no_points(trained: Trained) -> None:
    config = trained.config.model_copy(update={"recipe": "prototype"})
    replay = play(replace(trained, config=config), chosen()).replay()
    assert replay.value_is is None
    assert {frame.thought.value for frame in replay.frames if frame.thought} == {None}


def test_which_episode_it_is_and_by_which_weights(played: Played, trained: Trained) -> None:
    assert played.which == (
        "Episode 0 of an evaluation (seed 4, 12 steps, B_lineAgent). "
        "Played with the checkpoint's weights, of 20 updates"
    )
    of_training = play(trained, replace(chosen(), purpose=Purpose.TRAINING)).which
    assert "not those that it was trained with, which are not kept" in of_training
    of_the_runs_own = play(trained, replace(chosen(), purpose=Purpose.EVALUATION)).which
    assert of_the_runs_own.endswith("of 20 updates: as then, unless the policy has been trained since")
    assert play("sleep", chosen()).which == "Episode 0 of an evaluation (seed 4, 12 steps, B_lineAgent)"


def test_others_agents_play_and_cannot_go_on(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def agent():\n    return lambda observation: 0\n")
    name = f"{tmp_path}/mine.py:agent"
    target = target_of(name)
    assert target is not None
    reference = AgentReference(name, target, arguments=(), observation="stock", greedy=False, step_timeout_s=9)
    played = play(reference, chosen())
    assert {step.blue.action for step in played.trace.steps} == {"Sleep"}
    assert played.replay().no_fork == "the agent is one that others wrote, and what it remembers can't be saved"
    with pytest.raises(ReplayError, match="no other choice can be tried: the agent is one that others wrote"):
        played.fork(0, "Sleep")


def test_a_file_of_traces(tmp_path: Path, played: Played, trained: Trained) -> None:
    path = tmp_path / "games.jsonl"
    others = [play(trained, chosen(index)).trace for index in range(1, 4)]
    path.write_text(as_line(played.header) + "".join(map(as_line, [played.trace, *others])))
    second = read(path, 1)
    assert second.trace == others[0]
    assert second.which.startswith("Episode 1 of games.jsonl: Episode 1 of an evaluation (seed 4, 12 steps, ")
    assert second.replay().no_fork == NO_AGENT
    assert second.replay().frames[:3] != played.replay().frames[:3]
    worst = min([played.trace, *others], key=lambda trace: trace.total_reward)
    assert read_worst(path, 10).trace == worst
    assert read_worst(path, 1).trace == played.trace
    with pytest.raises(ReplayError, match=r"games.jsonl has no episode 4: they count from 0"):
        read(path, 4)
    path.write_text(as_line(played.header))
    with pytest.raises(ReplayError, match="has no episode"):
        read_worst(path, 10)


def test_a_file_shows_what_the_episode_does(tmp_path: Path, played: Played) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(as_line(played.header) + as_line(played.trace))
    ours, theirs = played.replay(), read(path).replay()
    without_value = [
        replace(frame, thought=frame.thought and replace(frame.thought, value=None)) for frame in ours.frames
    ]
    assert list(theirs.frames) == without_value
    assert np.isfinite([frame.total for frame in theirs.frames]).all()
