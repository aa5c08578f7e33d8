from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from pipeline.cage2.attackers.errors import AttackerNotFoundError
from pipeline.cage2.attackers.reference import source_digests
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.names import Compromised, UnknownNameError
from pipeline.cage2.mixed_env import MIXED
from pipeline.play.game import GameSpec
from pipeline.play.player import Player
from pipeline.play.record import HEADER
from pipeline.policy.forward import Actor

if TYPE_CHECKING:
    from pathlib import Path


def game(engine: Literal["fast", "cyborg"]) -> GameSpec:
    return GameSpec("RedMeanderAgent", engine, "head", "csle", Compromised.FIXABLE, 100, Interface())


def test_each_engine_has_its_environment() -> None:
    assert isinstance(game("fast").env(), FastEnv)
    assert isinstance(game("cyborg").env(), CyborgEnv)


@pytest.mark.parametrize(
    ("name", "text"), [("engine", "Fast"), ("profile", "today"), ("cyborg", "CybORG"), ("compromised", "all")]
)
def test_a_name_that_there_is_not_is_no_game(name: str, text: str) -> None:
    with pytest.raises(UnknownNameError, match=f"{text}.*choose one of"):
        replace(game("fast"), **{name: text})


def test_a_profile_that_cyborg_does_not_play_is_no_game_of_it() -> None:
    """It once played the one that it does, without a word."""
    with pytest.raises(ValueError, match="'leaderboard' needs engine 'fast'"):
        replace(game("cyborg"), profile="leaderboard")


def fixes(compromised: Compromised | str) -> list[int]:
    """What an episode's steps were to an order that begins with the host type of Red's foothold."""
    spec = replace(game("fast"), compromised=compromised)
    weights = np.zeros(spec.shape.actor.num_values, np.float32)
    header, record = (layout.views(memoryview(bytearray(layout.size_bytes))) for layout in (HEADER, spec.record))
    header["workflow_id"][...] = 119
    assert Player(spec, lambda _: weights).play(header, record)
    return record["fix"].tolist()


def test_what_counts_as_compromised_may_be_text() -> None:
    """A plain text once played `sessions`, whatever it said."""
    assert fixes("fixable") == fixes(Compromised.FIXABLE) != fixes(Compromised.SESSIONS) == fixes("sessions")


def test_both_play_the_same_game() -> None:
    fast, cyborg = game("fast").env(), game("cyborg").env()
    assert np.array_equal(fast.reset(5), cyborg.reset(5))
    for action in (0, 3, 16, 133, 20):
        observations = [env.step(action) for env in (fast, cyborg)]
        assert observations[0][1] == observations[1][1]
        assert np.array_equal(observations[0][0], observations[1][0])
        assert fast.red_hosts() == cyborg.red_hosts()


@pytest.mark.parametrize("engine", ["fast", "cyborg"])
def test_a_game_is_prepared_and_small(engine: Literal["fast", "cyborg"]) -> None:
    game(engine).prepare()
    assert len(pickle.dumps(game(engine))) < 400


def test_a_mixed_game_is_the_same_on_both_engines() -> None:
    """Compiled and step by step; against either Red agent, by the seed."""
    played = []
    engines: tuple[Literal["fast", "cyborg"], ...] = ("fast", "cyborg")
    for engine in engines:
        mixed = replace(game(engine), red_agent=MIXED)
        player, verdicts = mixed.play_episode(), Verdicts(range(5), Compromised.FIXABLE)
        actor = Actor(np.linspace(-0.5, 0.5, mixed.shape.actor.num_values, dtype=np.float32), mixed.shape)
        for seed in (2, 3, 4):
            image = bytearray(mixed.record.size_bytes)
            record = mixed.record.views(memoryview(image))
            player(actor, verdicts, workflow_id=0, environment_seed=seed, actions_seed=seed, record=record)
            played.append(bytes(image))
    assert played[:3] == played[3:]


def played(spec: GameSpec, seeds: range = range(6)) -> list[bytes]:
    player, verdicts = spec.play_episode(), Verdicts(range(5), Compromised.FIXABLE)
    actor = Actor(np.linspace(-0.5, 0.5, spec.shape.actor.num_values, dtype=np.float32), spec.shape)
    images = []
    for seed in seeds:
        images.append(bytearray(spec.record.size_bytes))
        record = spec.record.views(memoryview(images[-1]))
        player(actor, verdicts, workflow_id=0, environment_seed=seed, actions_seed=seed, record=record)
    return [bytes(image) for image in images]


@pytest.mark.parametrize("interface", [Interface(), Interface(True, "merged")])
def test_attackers_of_ones_own_play_the_same_episodes(interface: Interface) -> None:
    """The kernel against the compiled agents, and step by step against the same in Python."""
    compiled = replace(game("fast"), red_agent="RedMeanderAgent,B_lineAgent,SleepAgent", interface=interface)
    own = "pipeline.cage2.attackers.meander:Meander,B_lineAgent,pipeline.cage2.attackers.sleep:Sleep"
    assert played(replace(compiled, red_agent=own)) == played(compiled)


def test_an_attacker_whose_source_has_changed_is_not_played_against(tmp_path: Path) -> None:
    path = tmp_path / "red.py"
    path.write_text("class Mine:\n    def __init__(self, _): ...")
    name = f"{path}:Mine"
    spec = replace(game("fast"), red_agent=f"B_lineAgent,{name}", red_sha256=source_digests([name]))
    spec.prepare()
    spec.env()
    path.write_text("class Mine: ...")
    for build in (spec.env, spec.play_episode):
        with pytest.raises(AttackerNotFoundError, match="has changed since"):
            build()
    replace(spec, red_agent="B_lineAgent").env()
