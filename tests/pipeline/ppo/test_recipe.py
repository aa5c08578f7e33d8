from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from pipeline.cage2.facts.names import UnknownNameError
from pipeline.config import Config
from pipeline.ppo.recipe import DEFAULT, PROTOTYPE, RECIPES, THOROUGH


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

    assert weights == pytest.approx([0.03, 0.03, 0.015, 0.0, 0.0])
    assert DEFAULT.ent_coef_at(0.0) == DEFAULT.ent_coef_at(1.0) == DEFAULT.ent_coef


def test_an_estimator_that_there_is_not_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown estimator 'GAE': choose one of gae, returns"):
        dataclasses.replace(DEFAULT, estimator="GAE")


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DEFAULT.gamma = 1.0
    with pytest.raises(TypeError):
        RECIPES["mine"] = DEFAULT
