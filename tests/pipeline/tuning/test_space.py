from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Config
from pipeline.ppo.recipe import RECIPES, recipe_of
from pipeline.tuning.space import SPACE, Choice, Range, searchable, text_of, values_of, with_values

RANGES = [name for name, values in SPACE.items() if isinstance(values, Range)]


@given(st.sampled_from(RANGES), st.floats(0, 1))
def test_a_value_is_of_the_range_and_lies_where_it_was_asked_for(name: str, share: float) -> None:
    values = SPACE[name]
    assert isinstance(values, Range)
    place = values.low * (values.high / values.low) ** share
    value = values.value(place)
    assert values.holds(values.coordinate(value))
    assert values.coordinate(value) == pytest.approx(place, rel=0.5 if values.is_whole else 0.06)
    assert values.value(values.coordinate(value)) == value
    assert isinstance(value, int) is values.is_whole


def test_gamma_is_searched_by_its_distance_to_one() -> None:
    gamma = SPACE["ppo.gamma"]
    assert [gamma.value(place) for place in (1e-3, 0.0123, 1e-1)] == [0.999, 0.988, 0.9]
    assert gamma.coordinate(0.99) == 0.01


@pytest.mark.parametrize("recipe", ["default", "thorough"])
def test_the_recipes_are_of_the_space(recipe: str) -> None:
    values = values_of(Config(recipe=recipe), SPACE)
    assert [name for name in SPACE if not SPACE[name].holds(SPACE[name].coordinate(values[name]))] == []


def extremes(name: str) -> list[Any]:
    values = SPACE[name]
    if isinstance(values, Choice):
        return [values.values[0], values.values[-1]]
    return [values.value(values.low), values.value(values.high)]


@pytest.mark.parametrize("recipe", RECIPES)
def test_whatever_is_searched_makes_a_run(recipe: str) -> None:
    """Alone or with all others, at either end: no rate would rise, and nothing is out of bounds."""
    base = Config(recipe=recipe)
    names = searchable(base)
    asked = [{name: value} for name in names for value in extremes(name)]
    asked += [dict(zip(names, ends, strict=True)) for ends in itertools.product(*map(extremes, names))][::37]
    for values in asked:
        config = Config.model_validate(with_values({"recipe": recipe}, values))
        assert values_of(config, values) == values
        assert recipe_of(config).learning_rate >= recipe_of(config).final_learning_rate


def test_what_a_recipe_has_no_use_for_is_not_searched() -> None:
    assert set(SPACE) - set(searchable(Config(recipe="prototype"))) == {"ppo.gae_lambda"}
    assert searchable(Config()) == tuple(SPACE)


def test_what_else_a_run_sets_stays() -> None:
    base = {"total_episodes": 64, "ppo": {"gamma": 0.9, "vf_coef": 1.0}}
    assert with_values(base, {"ppo.gamma": 0.99, "hidden_sizes": (32, 32)}) == {
        "total_episodes": 64,
        "hidden_sizes": (32, 32),
        "ppo": {"gamma": 0.99, "vf_coef": 1.0},
    }
    assert with_values({}, {}) == {}


def test_values_are_short() -> None:
    assert [text_of(value) for value in (0.00022, 400, (64, 32))] == ["0.00022", "400", "64,32"]
