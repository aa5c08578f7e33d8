from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from pipeline.cage2.facts.names import UnknownNameError
from pipeline.config import Config
from pipeline.hyperparameters import Hyperparameters
from pipeline.ppo.recipe import DEFAULT, PROTOTYPE, RECIPES, THOROUGH, Recipe, RecipeError, recipe_of


def test_recipes_go_by_their_names() -> None:
    assert dict(RECIPES) == {"default": DEFAULT, "thorough": THOROUGH, "prototype": PROTOTYPE}
    assert tuple(RECIPES) == get_args(Config.model_fields["recipe"].annotation)


def test_the_learning_rate_falls_linearly_to_its_floor() -> None:
    rates = [DEFAULT.learning_rate_at(progress) for progress in (-0.1, 0.0, 0.5, 1.0, 1.5)]

    assert rates == pytest.approx([1e-3, 1e-3, 5.5e-4, 1e-4, 1e-4])


def test_the_prototype_does_not_anneal() -> None:
    assert PROTOTYPE.learning_rate_at(0.0) == PROTOTYPE.learning_rate_at(1.0) == 2e-3


def test_the_thorough_one_settles() -> None:
    weights = [THOROUGH.ent_coef_at(progress) for progress in (-0.1, 0.0, 0.5, 1.0, 1.5)]

    assert weights == pytest.approx([0.1, 0.1, 0.05, 0.0, 0.0])
    assert DEFAULT.ent_coef_at(0.0) == DEFAULT.ent_coef_at(1.0) == DEFAULT.ent_coef


def test_an_estimator_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown estimator 'GAE': choose one of gae, returns"):
        dataclasses.replace(DEFAULT, estimator="GAE")


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT.gamma = 1.0
    with pytest.raises(TypeError):
        RECIPES["mine"] = DEFAULT


def chosen(recipe: str = "default", **values: Any) -> Recipe:
    """The recipe of a run that sets some hyper-parameters itself."""
    return recipe_of(Config(recipe=recipe, ppo=Hyperparameters(**values)))  # type: ignore[arg-type]  # checked there


@pytest.mark.parametrize("name", RECIPES)
def test_a_run_that_sets_nothing_has_the_recipe_as_it_is(name: str) -> None:
    assert chosen(name) == RECIPES[name]


def test_what_a_run_sets_takes_the_place_of_what_the_recipe_has() -> None:
    values = {
        "learning_rate": 3e-4,
        "final_learning_rate": 1e-6,
        "gamma": 0.9,
        "gae_lambda": 0.8,
        "ent_coef": 0.02,
        "final_ent_coef": 0.01,
        "clip_coef": 0.1,
        "num_epochs": 3,
        "minibatch_size": 100,
        "target_kl": 0.5,
        "vf_coef": 0.25,
        "max_grad_norm": 2.0,
    }
    assert values.keys() == Hyperparameters.model_fields.keys()
    for recipe in (DEFAULT, THOROUGH):
        assert chosen(recipe.name, **values) == dataclasses.replace(recipe, **values)
        for name in values.keys() - {"ent_coef", "learning_rate"}:
            assert chosen(recipe.name, **{name: values[name]}, **ends(name)) == dataclasses.replace(
                recipe, **{name: values[name]}, **ends(name)
            )


def ends(name: str) -> dict[str, float]:
    """What is set beside the last of two so that it doesn't rise."""
    return {"ent_coef": 0.05} if name == "final_ent_coef" else {}


def test_what_a_recipe_does_not_anneal_stays_constant() -> None:
    assert chosen(ent_coef=0.01) == dataclasses.replace(DEFAULT, ent_coef=0.01, final_ent_coef=0.01)
    slower = chosen("prototype", learning_rate=1e-3)
    assert slower == dataclasses.replace(PROTOTYPE, learning_rate=1e-3, final_learning_rate=1e-3)
    assert chosen(learning_rate=5e-4) == dataclasses.replace(DEFAULT, learning_rate=5e-4)  # which anneals to its own
    assert chosen("thorough", ent_coef=0.01).final_ent_coef == 0.0


@pytest.mark.parametrize(
    ("recipe", "values", "told"),
    [
        ("prototype", {"gae_lambda": 0.9}, "--recipe prototype has no use for --ppo.gae-lambda: leave it out"),
        (
            "default",
            {"learning_rate": 5e-5},
            "with --ppo.learning-rate alone learning_rate would rise from 5e-05 to 0.0001: give --ppo.final-learning-",
        ),
        (
            "thorough",
            {"final_ent_coef": 0.5},
            "with --ppo.final-ent-coef alone ent_coef would rise from 0.1 to 0.5: give --ppo.ent-coef as well",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(recipe: str, values: dict[str, float], told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        chosen(recipe, **values)
    assert str(caught.value).startswith(told)


def test_who_says_both_ends_may_have_a_rate_that_rises() -> None:
    assert chosen(learning_rate=1e-5, final_learning_rate=1e-3).final_learning_rate == 1e-3


def test_gae_lambda_is_of_no_use_wherever_returns_are_summed() -> None:
    """Who adds a recipe need not remember it."""
    for recipe in RECIPES.values():
        if recipe.estimator == "gae":
            assert chosen(recipe.name, gae_lambda=0.5).gae_lambda == 0.5
        else:
            with pytest.raises(RecipeError):
                chosen(recipe.name, gae_lambda=0.5)
