from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.cage2.facts import spec
from pipeline.replay.episode import as_json
from pipeline.replay.played import play
from tests.pipeline.replay.conftest import NUM_STEPS, chosen

if TYPE_CHECKING:
    from pipeline.evaluate.trained import Trained
    from pipeline.replay.played import Played


def test_a_frame_is_a_moment(played: Played) -> None:
    replay, trace = played.replay(), played.trace
    beginning, *others = replay.frames
    assert len(replay.frames) == NUM_STEPS + 1
    assert (beginning.blue, beginning.red, beginning.verdict) == (None, None, None)
    assert (beginning.reward, beginning.total) == (0, 0)
    assert [host.name for host in beginning.hosts if host.held != "None"] == ["User0"]
    for frame, step in zip(others, trace.steps, strict=True):
        assert frame.blue is not None
        assert frame.red is not None
        assert " ".join(filter(None, (frame.blue.action, frame.blue.target))) == step.blue.action
        assert (frame.red.action, frame.red.target, frame.red.success) == (
            step.red.action,
            step.red.target,
            step.red.success,
        )
        assert (frame.verdict, frame.reward) == (step.blue.verdict, step.reward.total)
        assert sum(host.cost for host in frame.hosts) + frame.action_cost == pytest.approx(frame.reward)
        assert {host.name: host.decoys for host in frame.hosts if host.decoys} == step.network.decoys
        assert {host.name: host.num_sessions for host in frame.hosts if host.num_sessions} == {
            host: len(sessions) for host, sessions in step.network.sessions.items()
        }
    assert replay.frames[-1].total == replay.total_reward == trace.total_reward


def test_what_the_policy_thinks_is_of_the_step_that_follows(played: Played) -> None:
    frames = played.replay().frames
    for frame, step in zip(frames, played.trace.steps, strict=False):
        assert frame.thought is not None
        assert (frame.thought.choice, frame.thought.probability) == (step.blue.choice, step.blue.probability)
        assert dict(frame.thought.likeliest) == step.blue.likeliest
        assert frame.thought.value is not None
        table = {host.name: (host.activity, host.taken_for) for host in frame.hosts}
        seen = {name: cell for name, cell in table.items() if cell != ("None", "No")}
        assert seen == step.blue.saw.table
        words = {f"{kind} {what}".rstrip() for kind, names in frame.remembers.items() for what in names}
        assert words == set(step.blue.saw.memory)
    assert frames[-1].thought is None


def test_the_same_gives_the_same_bytes(played: Played, trained: Trained) -> None:
    first, again = as_json(played.replay()), as_json(play(trained, chosen()).replay())
    assert first == again
    assert json.loads(first)["frames"][3]["hosts"][0]["name"] == spec.HOST_NAMES[0]
    assert as_json(play(trained, chosen(1)).replay()) != first


def test_both_engines_give_the_same_replay(played: Played, trained: Trained) -> None:
    other = play(trained, chosen(engine="cyborg")).replay()
    assert other.no_fork is not None
    assert other.no_fork.startswith("CybORG can't go on from a moment")
    fast = played.replay()
    assert replace(other, game=fast.game, again=fast.again, no_fork=None, actions=fast.actions) == fast


def test_subnets_are_in_the_order_in_which_red_gets_to_them(played: Played) -> None:
    names = [(name, len(hosts)) for name, _, hosts in played.replay().subnets]
    assert names == [("User", 5), ("Enterprise", 4), ("Operational", 4)]
