from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.defenders.errors import UnusableAgentError
from pipeline.defenders.forms import FORMS, made, require_size
from pipeline.defenders.sb3 import load
from pipeline.defenders.shown import shown_game
from pipeline.play.game import GameSpec
from tests.pipeline.defenders.conftest import new_model

if TYPE_CHECKING:
    from pathlib import Path

GAME = GameSpec("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, 30, Interface())
NUM_STEPS = 30


class Both:
    """Has three forms at once."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def begin(self, num_steps: int) -> None:
        self.heard.append(num_steps)

    def act(self, observation: Any, view: Any) -> int:
        return 3

    def get_action(self, observation: Any, action_space: Any) -> int:
        return 4

    def predict(self, observation: Any) -> tuple[int, None]:
        return 5, None


class OfCyborg:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def get_action(self, observation: Any, action_space: Any) -> int:
        self.heard.append((observation.sum(), action_space))
        return 2

    def set_initial_values(self, action_space: Any, observation: Any) -> None:
        self.heard.append(("initial", action_space, len(observation)))

    def end_episode(self) -> None:
        self.heard.append("end")


class Unfinished(OfCyborg):
    def set_initial_values(self, action_space: Any, observation: Any) -> None:
        raise NotImplementedError


def played(agent: Any, num_episodes: int = 1, **options: Any) -> list[int]:
    """Have an agent play, and return its actions."""
    ready = made(agent, greedy=options.pop("greedy", False))
    game = shown_game(GAME, options.pop("observation", "stock"), ready.actions)
    actions = []
    for seed in range(num_episodes):
        observation = game.reset(seed)
        ready.defender.begin(NUM_STEPS)
        for _ in range(NUM_STEPS):
            observation, _, action = game.step(ready.defender.act(observation, game.view))
            actions.append(action)
        ready.defender.end()
    return actions


def test_the_form_that_tells_most_is_taken() -> None:
    agent = Both()
    assert made(agent, greedy=False).form == "begin and act"
    assert set(played(agent)) == {3}
    assert agent.heard == [NUM_STEPS]


def test_an_agent_of_cyborgs_form_hears_what_its_script_tells() -> None:
    agent = OfCyborg()
    assert made(agent, greedy=False).form == "CybORG's"
    assert played(agent, 2) == [2] * 2 * NUM_STEPS
    assert agent.heard[:2] == [("initial", 145, 52), (0, 145)]
    assert [place for place, heard in enumerate(agent.heard) if heard == "end"] == [NUM_STEPS + 1, 2 * NUM_STEPS + 2]
    assert agent.heard.count(("initial", 145, 52)) == 1
    assert played(Unfinished()) == [2] * NUM_STEPS


def test_a_function_is_an_agent() -> None:
    assert made(lambda _: 7, greedy=False).form == "a function"
    assert set(played(lambda observation: 132 + int(observation.sum() > 0))) == {132, 133}


class OneArgument:
    def get_action(self, observation: Any) -> int:
        return 0


class NoView:
    def begin(self, num_steps: int) -> None: ...

    def act(self, observation: Any) -> int:
        return 0


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        (3, "an object of type int is no agent"),
        (None, "an object of type NoneType is no agent"),
        (Both, "the class Both is no agent"),
        (OneArgument(), r"get_action\(observation: 'Any'\) -> 'int' must take \(observation, action_space\)"),
        (NoView(), r"must take \(observation, view\)"),
        (lambda: 3, r"a call\(\) must take \(observation\)"),
    ],
)
def test_what_has_none_of_the_forms_is_told_of_them(agent: Any, told: str) -> None:
    with pytest.raises(UnusableAgentError, match=told) as error:
        made(agent, greedy=False)
    if "is no agent" in told:
        assert all(what in str(error.value) for what in FORMS.values())


@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "DQN", "MaskablePPO"])
def test_a_model_plays_as_it_predicts(algorithm: str, saved: dict[str, Path]) -> None:
    model = load(saved[algorithm], {})
    game = shown_game(GAME, "stock")
    observation, expected = game.reset(0), []
    for _ in range(NUM_STEPS):
        masks = {"action_masks": game.view.action_mask()} if algorithm == "MaskablePPO" else {}
        action, _ = model.predict(observation, deterministic=True, **masks)
        expected.append(int(action))
        observation, _, _ = game.step(action)
    assert played(model, greedy=True) == expected
    assert made(model, greedy=True).form == "SB3's"


def test_a_recurrent_model_forgets_between_episodes(saved: dict[str, Path]) -> None:
    model = load(saved["RecurrentPPO"], {})
    state, expected = None, []
    game = shown_game(GAME, "stock")
    for seed in range(2):
        observation = game.reset(seed)
        for step in range(NUM_STEPS):
            action, state = model.predict(
                observation, state=state, episode_start=np.array([step == 0]), deterministic=True
            )
            expected.append(int(action))
            observation, _, _ = game.step(action)
    assert played(model, 2, greedy=True) == expected


def test_what_is_drawn_is_a_function_of_the_generators(saved: dict[str, Path]) -> None:
    from pipeline.defenders.randomness import seed_generators

    for algorithm in ("PPO", "DQN"):
        model = load(saved[algorithm], {})
        if algorithm == "DQN":
            model.exploration_rate = 0.5
        draws = []
        for seed in (1, 1, 2):
            seed_generators(seed)
            draws.append(played(model))
        assert draws[0] == draws[1] != draws[2]


def test_a_model_of_merged_actions_and_memory_plays_them() -> None:
    model = new_model("MaskablePPO", observation_memory=True, actions="merged")
    ready = made(model, greedy=True)
    assert (ready.actions, ready.observation_size) == ("merged", 130)
    actions = played(model, greedy=False, observation="memory")
    assert len(set(actions)) > 3
    with pytest.raises(UnusableAgentError, match="sees 130 values, and is shown 52: try --observation memory"):
        require_size(ready, 52)
    require_size(ready, 130)


def test_a_model_of_another_game_is_refused() -> None:
    class Space:
        n = 54
        shape = (4, 4)

    class Model:
        action_space = Space()

        def predict(self, observation: Any) -> Any: ...

    with pytest.raises(UnusableAgentError, match="chooses among 54 actions: there are 145, or 31 merged"):
        made(Model(), greedy=False)
    Model.action_space.n = 145
    Model.observation_space = Space()  # type: ignore[attr-defined]
    with pytest.raises(UnusableAgentError, match=r"sees an array of shape \(4, 4\)"):
        made(Model(), greedy=False)
