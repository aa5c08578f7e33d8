from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.hyperparameters import Hyperparameters
from pipeline.ppo.recipe import RECIPES, Recipe


def test_each_is_one_of_a_recipe() -> None:
    assert Hyperparameters.model_fields.keys() <= {field.name for field in dataclasses.fields(Recipe)}


def test_none_is_set_unless_it_is_given() -> None:
    assert Hyperparameters().model_dump(exclude_none=True) == {}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_what_a_recipe_has_can_be_set_where_it_is_a_number(recipe: Recipe) -> None:
    values = {name: getattr(recipe, name) for name in Hyperparameters.model_fields}
    finite = {name: value for name, value in values.items() if value is not None and value < float("inf")}
    assert Hyperparameters(**finite).model_dump(exclude_none=True) == finite


@pytest.mark.parametrize(
    "values",
    [
        {"learning_rate": 0},
        {"learning_rate": -1e-3},
        {"learning_rate": 1.5},
        {"learning_rate": float("nan")},
        {"learning_rate": True},
        {"final_learning_rate": -1e-9},
        {"gamma": 1.01},
        {"gamma": -0.1},
        {"gae_lambda": 2},
        {"ent_coef": -0.1},
        {"ent_coef": float("inf")},
        {"final_ent_coef": float("nan")},
        {"clip_coef": 0},
        {"num_epochs": 0},
        {"num_epochs": 101},
        {"num_epochs": 1.5},
        {"minibatch_size": 0},
        {"minibatch_size": False},
        {"target_kl": 0},
        {"target_kl": float("inf")},
        {"vf_coef": -1},
        {"max_grad_norm": 0},
        {"lr": 1e-3},
    ],
    ids=str,
)
def test_what_can_not_be_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Hyperparameters(**values)
