from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.spec import NUM_ACTIONS
from pipeline.export.agent import TrainedAgent
from pipeline.export.form import folded_weights
from pipeline.export.onnx.memory import kinds_of, state_columns
from pipeline.export.onnx.model import MEANINGS, policy_model, returns, takes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.export.conftest import MakeTrained

INTERFACES = [Interface(True, "merged"), Interface(True, "all"), Interface(False, "merged"), Interface()]
NUM_GAMES = 9
STEPS = 60


@pytest.fixture
def make_model(make_trained: MakeTrained) -> Callable[[Interface], bytes]:
    def make(interface: Interface) -> bytes:
        trained = make_trained(interface.observation_memory, interface.actions)
        return policy_model(interface, folded_weights(trained), "0.1", {"profile": "head"})

    return make


def drawn(interface: Interface, seed: int) -> dict[str, Any]:
    """What a model may be given in the middle of games, where two of them begin."""
    rng = np.random.default_rng(seed)
    last_action = rng.integers(0, NUM_ACTIONS, NUM_GAMES)
    last_action[[2, 7]] = -1
    num_columns = len(state_columns(kinds_of(interface)))
    return {
        "observation": rng.integers(0, 2, (NUM_GAMES, 52)),
        "last_action": last_action,
        "state": rng.integers(0, 2, (NUM_GAMES, num_columns)),
        "num_steps": rng.integers(1, 100, NUM_GAMES),
    }


@pytest.mark.parametrize("interface", INTERFACES)
def test_games_do_not_touch_one_another(
    interface: Interface, make_model: Callable[[Interface], bytes], runnable: Callable[[bytes], Any]
) -> None:
    run, given = runnable(make_model(interface)), drawn(interface, 0)
    together = run(**given)
    for game in range(NUM_GAMES):
        alone = run(**{name: array[game : game + 1] for name, array in given.items()})
        for name, value in alone.items():
            np.testing.assert_allclose(value[0], together[name][game], rtol=1e-12, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("interface", INTERFACES)
def test_the_action_is_the_likeliest(
    interface: Interface, make_model: Callable[[Interface], bytes], runnable: Callable[[bytes], Any]
) -> None:
    told = runnable(make_model(interface))(**drawn(interface, 1))
    np.testing.assert_allclose(told["probabilities"].sum(axis=1), 1)
    np.testing.assert_array_equal(told["action"], told["probabilities"].argmax(axis=1))
    assert ((told["probabilities"] > 0).sum(axis=1) <= interface.num_actions).all()


@pytest.mark.parametrize("interface", INTERFACES)
def test_actions_can_be_drawn(
    interface: Interface,
    make_trained: MakeTrained,
    make_model: Callable[[Interface], bytes],
    runnable: Callable[[bytes], Any],
) -> None:
    """The model is told what Blue did, and gives the probabilities that the policy itself does."""
    run = runnable(make_model(interface))
    agent = TrainedAgent(make_trained(interface.observation_memory, interface.actions), greedy=False)
    env, last_action, state = FastEnv("RedMeanderAgent", "head"), -1, drawn(interface, 3)["state"][:1]
    agent.begin(STEPS)
    observation, num_likeliest = env.reset(0), 0
    for _ in range(STEPS):
        told = run(
            observation=[observation.astype(np.int64)], last_action=[last_action], state=state, num_steps=[STEPS]
        )
        np.testing.assert_allclose(told["probabilities"][0], agent.probabilities(observation), atol=1e-5)
        last_action, state = agent.act(observation), told.get("next_state", state)
        num_likeliest += last_action == told["action"][0]
        observation, _ = env.step(last_action)
    assert num_likeliest < STEPS


@pytest.mark.parametrize("interface", INTERFACES[:3])
def test_an_episode_that_begins_knows_nothing_of_the_last(
    interface: Interface, make_model: Callable[[Interface], bytes], runnable: Callable[[bytes], Any]
) -> None:
    run, given = runnable(make_model(interface)), drawn(interface, 2)
    given["last_action"][:] = -1
    told, anew = run(**given), run(**{**given, "state": np.zeros_like(given["state"])})
    for name, value in told.items():
        np.testing.assert_array_equal(value, anew[name])


@pytest.mark.parametrize("interface", INTERFACES)
def test_a_model_describes_itself(interface: Interface, make_model: Callable[[Interface], bytes]) -> None:
    model = onnx.load_from_string(make_model(interface))
    told = {each.key: each.value for each in model.metadata_props}
    assert told.pop("profile") == "head"
    assert tuple(json.loads(told.pop("state", "[]"))) == state_columns(kinds_of(interface))
    assert not told
    given, returned = ([each.name for each in side] for side in (model.graph.input, model.graph.output))
    assert given == [*takes(interface)]
    assert returned == [*returns(interface)]
    assert [line.partition(":")[0] for line in model.graph.doc_string.splitlines()] == given + returned
    assert MEANINGS["action"] in model.graph.doc_string


def test_what_is_not_needed_is_not_taken() -> None:
    assert [*takes(Interface())] == ["observation"]
    assert [*returns(Interface())] == ["probabilities", "action"]
    assert [*takes(Interface(False, "merged"))] == ["observation", "last_action", "state"]
    assert [*takes(Interface(True))] == ["observation", "last_action", "state", "num_steps"]
