from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.cyborg.view import cyborg_view
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec
from pipeline.cage2.show.fast_view import draw_addresses, fast_view
from pipeline.replay.errors import ReplayError
from pipeline.replay.moments import MAX_STEPS, views_of
from pipeline.replay.played import play
from pipeline.trace.trace import Seen
from tests.pipeline.replay.conftest import chosen

if TYPE_CHECKING:
    from pipeline.cage2.show.view import View
    from pipeline.evaluate.trained import Trained
    from pipeline.replay.played import Played
    from pipeline.trace.trace import Trace


def without_pids(view: View) -> View:
    hosts = [replace(host, sessions=tuple(replace(session, pid=0) for session in host.sessions)) for host in view.hosts]
    return replace(view, hosts=tuple(hosts))


def on_the_engine(trace: Trace) -> list[View]:
    """Return the engine's own views, of a game that is played once more."""
    env = FastEnv(trace.red_agent)
    env.reset(trace.environment_seed)
    addresses = draw_addresses(random.Random(trace.environment_seed))  # noqa: S311  # the game's own generator
    views = [fast_view(env.batch, 0, addresses)]
    for step in trace.steps:
        env.step(spec.ACTION_NAMES.index(step.blue.action))
        views.append(fast_view(env.batch, 0, addresses))
    return views


def on_cyborg(trace: Trace) -> list[View]:
    env = CyborgEnv(trace.red_agent)
    views = [cyborg_view(env, env.reset(trace.environment_seed), 0, spec.SLEEP)]
    for number, step in enumerate(trace.steps, start=1):
        action = spec.ACTION_NAMES.index(step.blue.action)
        views.append(cyborg_view(env, env.step(action)[0], number, action))
    return views


@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_moments_are_what_the_engine_says_at_each_step(red_agent: str, trained: Trained) -> None:
    trace = play(trained, chosen(num_steps=60, red_agent=red_agent)).trace
    ours = views_of(trace)
    assert list(ours) == [without_pids(view) for view in on_the_engine(trace)]
    assert (len({view.true_table() for view in ours}) > 5) is (red_agent != "SleepAgent")


def test_moments_are_what_cyborg_says_at_each_step(played: Played) -> None:
    theirs = on_cyborg(played.trace)
    assert list(views_of(played.trace)) == [without_pids(view) for view in theirs]
    assert [view.true_table() for view in views_of(played.trace)] == [view.true_table() for view in theirs]


HOSTILE = "<img src=x>"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"addresses": {HOSTILE: "10.0.0.1"}}, "there is no host <img src=x> in this game"),
        ({"last_saw": Seen({HOSTILE: ("Scan", "No")}, ())}, "there is no host <img src=x>"),
        ({"last_saw": Seen({"User1": (HOSTILE, "No")}, ())}, "Blue's table never says <img src=x>, No"),
    ],
)
def test_what_no_game_has_is_refused(changes: dict[str, Any], told: str, played: Played) -> None:
    with pytest.raises(ReplayError, match=told):
        views_of(replace(played.trace, **changes))


def test_an_action_that_blue_has_not_is_refused(played: Played) -> None:
    first = played.trace.steps[0]
    steps = (replace(first, blue=replace(first.blue, action=HOSTILE)), *played.trace.steps[1:])
    with pytest.raises(ReplayError, match="Blue has no action <img src=x>"):
        views_of(replace(played.trace, steps=steps))


def test_an_episode_that_is_too_long_is_refused(played: Played) -> None:
    with pytest.raises(ReplayError, match="an episode of 1,001 steps: at most 1,000 are shown"):
        views_of(replace(played.trace, steps=played.trace.steps[:1] * (MAX_STEPS + 1)))
