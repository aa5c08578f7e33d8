from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.numerics import sources
from pipeline.play import fingerprint
from pipeline.play.fingerprint import Fingerprint, take_fingerprint
from pipeline.play.game import GameSpec

GAME = GameSpec("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, 100, Interface())


@pytest.fixture(scope="module")
def here() -> Fingerprint:
    return take_fingerprint(GAME)


def test_the_same_machine_has_the_same(here: Fingerprint) -> None:
    assert here.differences(take_fingerprint(GAME)) == []


def test_the_engine_makes_no_difference(here: Fingerprint) -> None:
    assert here.differences(take_fingerprint(replace(GAME, engine="cyborg"))) == []


def test_another_version_is_named(here: Fingerprint) -> None:
    there = replace(here, versions={**here.versions, "numpy": "1.0", "csle-cyborg": "not installed"}, episode="other")
    assert here.differences(there) == [
        f"numpy is 1.0 there, {np.__version__} here",
        f"csle-cyborg is not installed there, {here.versions['csle-cyborg']} here",
    ]


def test_packages_that_one_side_does_not_list_are_told(here: Fingerprint) -> None:
    there = replace(here, versions={**here.versions, "torch": "2.0"})
    assert here.differences(there) == ["torch is 2.0 there, not listed here"]
    assert there.differences(here) == ["torch is not listed there, 2.0 here"]


def test_other_layouts_and_sources_are_told(here: Fingerprint) -> None:
    told = " ".join(here.differences(replace(here, layout="1" * 64, sources="2" * 64)))
    assert "slots are laid out otherwise (digest 111111111111 there" in told
    assert "sources differ (digest 222222222222 there" in told


def test_another_rounding_is_told_with_both_machines(here: Fingerprint) -> None:
    (told,) = here.differences(replace(here, episode="other", machine="a CPU of 1978"))
    assert "floats are rounded otherwise (a CPU of 1978 there" in told
    assert here.machine in told


def test_another_machine_that_rounds_alike_is_welcome(here: Fingerprint) -> None:
    assert here.differences(replace(here, machine="a CPU of 1978")) == []


def test_the_last_bit_of_one_probability_shows(here: Fingerprint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that no action drawn depends on: the first float64 of the last distribution."""
    play = fingerprint.EnginePlayer.play

    def play_and_round(self: Any, actor: Any, *args: Any, **kwargs: Any) -> None:
        play(self, actor, *args, **kwargs)
        state = actor.state[0]
        row = state["cumulative"][int((state["num_kept"] - 1) * state["num_actions"]) :]
        row[0] = np.nextafter(row[0], 1.0)

    monkeypatch.setattr(fingerprint.EnginePlayer, "play", play_and_round)
    assert take_fingerprint(GAME).episode != here.episode


def test_it_covers_what_actors_import_and_nothing_of_the_learner(here: Fingerprint) -> None:
    followed = sources.followed(*fingerprint._ROOTS)
    expected = {"native_buffers.block", "pipeline.seeding", "pipeline.play.rollout", "pipeline.policy.forward"}
    assert followed >= expected | {"pipeline.workers.ray", "pipeline.cage2.cyborg.env", "pipeline.cage2.engine.red"}
    assert not {name for name in followed if name.startswith(("pipeline.learn", "pipeline.ppo", "pipeline.run"))}
    assert here.sources == sources.source_digest(*fingerprint._ROOTS)
