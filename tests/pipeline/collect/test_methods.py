from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.collect.executor import ExecutorCollector
from pipeline.collect.methods import game_spec, make_collector
from pipeline.collect.ray.collector import RayCollector
from pipeline.collect.sequential import SequentialCollector
from pipeline.collect.synchronous import SynchronousCollector
from pipeline.collect.transport import Pickled, SharedMemory
from pipeline.config import Config
from pipeline.play.record import HEADER, record_layout
from pipeline.policy.params import PLAIN, PolicyShape

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def memory() -> Iterator[tuple[EpisodeRing, WeightBoard]]:
    with (
        EpisodeRing.create(HEADER, record_layout(100, PLAIN.observation_size), 4) as ring,
        WeightBoard.create(PLAIN.actor.num_values, 4) as board,
    ):
        yield ring, board


def test_a_game_is_what_the_configuration_says() -> None:
    game = game_spec(Config(red_agent="SleepAgent", engine="fast", profile="leaderboard", compromised="sessions"))
    assert (game.red_agent, game.engine, game.profile) == ("SleepAgent", "fast", "leaderboard")
    assert (game.compromised, game.num_steps, game.cyborg) == (Compromised.SESSIONS, 100, "csle")


def test_an_episode_is_as_long_as_the_configuration_says() -> None:
    game = game_spec(Config(episode_steps=30))
    assert game.num_steps == 30
    assert {field.shape[0] for field in game.record.fields} == {30, 31}


def test_the_shape_of_policy_and_record_is_that_of_the_interface() -> None:
    game = game_spec(Config())
    assert game.interface == Interface(observation_memory=True, actions="merged")
    assert game.shape == PolicyShape.of(game.interface)
    plain = game_spec(Config(observation_memory=False, actions="all"))
    assert (plain.interface, plain.shape) == (Interface(), PLAIN)
    observation = next(field for field in game.record.fields if field.name == "observation")
    assert observation.shape == (101, game.interface.observation_size)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"collector": "sequential"}, SequentialCollector),
        ({"collector": "synchronous"}, SynchronousCollector),
        ({"collector": "executor"}, ExecutorCollector),
        ({"collector": "ray"}, RayCollector),
        ({}, ExecutorCollector),
    ],
)
async def test_each_method_has_its_collector(
    memory: tuple[EpisodeRing, WeightBoard], options: dict[str, Any], kind: type
) -> None:
    config = Config(workers=2, **options)
    collector = make_collector(config, game_spec(config), *memory)
    try:
        assert isinstance(collector, kind)
        assert (collector.num_alive, collector.num_rebuilds) == (0, 0)
        assert collector.max_tasks >= 1
    finally:
        await collector.close()


@pytest.mark.parametrize(("transport", "kind"), [("shm", SharedMemory), ("pickle", Pickled)])
async def test_the_executor_has_a_choice_of_transports(
    memory: tuple[EpisodeRing, WeightBoard], transport: Any, kind: type
) -> None:
    config = Config(workers=2, transport=transport)
    collector = make_collector(config, game_spec(config), *memory)
    try:
        assert isinstance(collector, ExecutorCollector)
        assert isinstance(collector._transport, kind)
    finally:
        await collector.close()
