from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.compliance import Compromised, Verdicts
from pipeline.cage2.mixed_env import MIXED
from pipeline.play.game import GameSpec
from pipeline.policy.forward import Actor


def game(engine: Literal["fast", "cyborg"]) -> GameSpec:
    return GameSpec("RedMeanderAgent", engine, "head", "csle", Compromised.FIXABLE, 100, Interface())


def test_each_engine_has_its_environment() -> None:
    assert isinstance(game("fast").env(), FastEnv)
    assert isinstance(game("cyborg").env(), CyborgEnv)


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
    assert len(pickle.dumps(game(engine))) < 300


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
