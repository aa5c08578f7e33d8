from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import UnknownNameError
from pipeline.cage2.gym import ENV_ID
from pipeline.cage2.show.render import BLUE, HELD, PAPER, RED, RENDER_MODES, SIZE, TAKEN_FOR, render, render_picture
from pipeline.cage2.show.view import Session, View


@pytest.fixture
def view() -> View:
    env: Any = gymnasium.make(ENV_ID, red_agent="B_lineAgent").unwrapped
    env.reset(seed=5)
    for name in ("DecoyApache Enterprise0", "DecoyVsftpd User4", "Sleep", "Restore User3"):
        env.step(spec.ACTION_NAMES.index(name))
    seen: View = env.view()
    return seen


def with_host(view: View, name: str, **changes: Any) -> View:
    return replace(view, hosts=tuple(replace(host, **changes) if host.name == name else host for host in view.hosts))


def num_pixels(picture: Any, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=2).sum())


def test_text_has_both_actions_and_both_tables(view: View) -> None:
    text = render(view, "ansi")
    assert isinstance(text, str)
    assert "Step 4, reward -1.1" in text  # Restore, and User2
    assert "Blue: Restore User3" in text
    assert f"Red:  {view.red_action} {view.red_target}" in text
    assert view.blue_table() in text
    assert view.true_table() in text


def test_a_picture_is_a_picture(view: View) -> None:
    picture = render(view, "rgb_array")
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (*SIZE, 3)
    assert picture.dtype == np.uint8
    assert (picture[0, 0] == PAPER).all()
    np.testing.assert_array_equal(picture, render_picture(view))


def test_a_mode_that_there_is_not_is_no_picture(view: View) -> None:
    with pytest.raises(UnknownNameError, match="unknown render mode 'ANSI': choose one of ansi, rgb_array"):
        render(view, "ANSI")


def test_what_red_gains_is_seen(view: View) -> None:
    """On Op_Host1, where nothing has happened yet."""
    pictures = [
        render_picture(with_host(view, "Op_Host1", sessions=sessions))
        for sessions in ((), (Session(1, privileged=False),), (Session(1, privileged=True),))
    ]
    for picture, held in zip(pictures[1:], ("User", "Privileged"), strict=True):
        assert num_pixels(picture, HELD[held]) > num_pixels(pictures[0], HELD[held]) + 1000


@pytest.mark.parametrize("compromised", ["Unknown", "User", "Privileged"])
def test_what_blue_takes_a_host_for_is_seen(view: View, compromised: str) -> None:
    colour = TAKEN_FOR[compromised]
    changed = render_picture(with_host(view, "Op_Host1", compromised=compromised))
    assert num_pixels(changed, colour) > num_pixels(render_picture(view), colour)


@pytest.mark.parametrize(
    "changes", [{"activity": "Exploit"}, {"decoys": ("DecoyApache",)}, {"decoys": ("DecoyApache", "DecoyTomcat")}]
)
def test_what_else_happens_on_a_host_is_seen(view: View, changes: dict[str, Any]) -> None:
    assert (render_picture(with_host(view, "Op_Host1", **changes)) != render_picture(view)).any()


def test_the_ot_service_s_end_is_seen(view: View) -> None:
    down = render_picture(replace(view, ot_service_up=False))
    assert num_pixels(down, RED) > num_pixels(render_picture(view), RED)


def test_targets_are_framed(view: View) -> None:
    nobody = replace(view, blue_action=spec.MONITOR, red_target=None)
    base = render_picture(nobody)
    assert num_pixels(render_picture(replace(nobody, blue_action=spec.ANALYSE + 4)), BLUE) > num_pixels(base, BLUE)
    for target in ("Op_Host1", "Operational"):
        assert num_pixels(render_picture(replace(nobody, red_target=target)), RED) > num_pixels(base, RED) + 500


def test_a_reset_can_be_rendered() -> None:
    for mode in RENDER_MODES:
        env = gymnasium.make(ENV_ID, render_mode=mode)
        env.reset(seed=0)
        assert env.render() is not None


def test_without_a_render_mode_there_is_nothing_to_see() -> None:
    env = gymnasium.make(ENV_ID)
    env.reset(seed=0)
    assert env.unwrapped.render() is None
