"""PPO's hyper-parameters: all of them, with their units, in one frozen value per recipe."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, get_args

from pipeline.cage2.facts.names import require
from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config import Config
    from pipeline.policy.params import Initialisation


Estimator = Literal["gae", "returns"]


class RecipeError(SetupError):
    """Hyper-parameters that a run sets itself don't go with its recipe, or with one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an update makes weights out of episodes.

    Raises:
        UnknownNameError: There is no such estimator.
    """

    name: str
    initialisation: Initialisation
    """How the weights of a fresh policy are drawn."""
    estimator: Estimator
    """`gae`: generalised advantages, bootstrapped from the observation after the last step, standardised over
    the batch. `returns`: discounted returns to the end of the episode, standardised over the batch, less the
    value."""
    gamma: float
    """Discount per step, 0 to 1."""
    gae_lambda: float
    """0 to 1; `returns` does not use it."""
    reward_scale: float
    """What a point is worth to the critic: keeps its targets near 1. Advantages are standardised anyhow."""
    learning_rate: float
    """Adam's, at the start of a workflow's training."""
    final_learning_rate: float
    """Adam's, when the workflow's episode cap is reached; linear in between."""
    adam_betas: tuple[float, float]
    adam_eps: float
    num_epochs: int
    """Passes over the batch, at most."""
    minibatch_size: int | None
    """Steps per gradient, as nearly as the batch divides; None takes the whole batch."""
    clip_coef: float
    """How far a probability ratio may move in an update before its gradient stops."""
    ent_coef: float
    """Weight of the entropy (nats) in the loss, at the start of a policy's training."""
    final_ent_coef: float
    """The same when the policy's episode cap is reached; linear in between."""
    vf_coef: float
    """Weight of the value loss."""
    max_grad_norm: float
    """Longest gradient, for actor and critic each; infinity leaves them as they are."""
    target_kl: float
    """Nats from where the update began. An epoch that exceeds it is the last; infinity never stops."""
    max_importance: float
    """Largest weight of a step that an older policy played; without a policy lag all are 1."""

    def __post_init__(self) -> None:
        require("estimator", self.estimator, get_args(Estimator))

    def learning_rate_at(self, progress: float) -> float:
        """Return the learning rate when the share `progress` (0 to 1) of a policy's episode cap is used."""
        return _between(self.learning_rate, self.final_learning_rate, progress)

    def ent_coef_at(self, progress: float) -> float:
        """Return the weight of the entropy when the share `progress` (0 to 1) of a policy's episode cap is used."""
        return _between(self.ent_coef, self.final_ent_coef, progress)


DEFAULT: Final = Recipe(
    name="default",
    initialisation="orthogonal",
    estimator="gae",
    gamma=0.99,
    gae_lambda=0.95,
    reward_scale=0.01,
    learning_rate=1e-3,
    final_learning_rate=1e-4,
    adam_betas=(0.9, 0.999),
    adam_eps=1e-5,
    num_epochs=6,
    minibatch_size=400,
    clip_coef=0.2,
    ent_coef=0.003,
    final_ent_coef=0.003,
    vf_coef=0.5,
    max_grad_norm=0.5,
    target_kl=0.02,
    max_importance=2.0,
)
"""What docs/learning.md gives the reasons for."""

THOROUGH: Final = replace(
    DEFAULT,
    name="thorough",
    gae_lambda=0.97,
    final_learning_rate=1e-5,
    num_epochs=8,
    minibatch_size=800,
    ent_coef=0.1,
    final_ent_coef=0.0,
)
"""For one policy and tens of thousands of episodes: it goes on trying for longer, and settles in the end."""

PROTOTYPE: Final = Recipe(
    name="prototype",
    initialisation="uniform",
    estimator="returns",
    gamma=0.99,
    gae_lambda=1.0,
    reward_scale=1.0,
    learning_rate=2e-3,
    final_learning_rate=2e-3,
    adam_betas=(0.9, 0.99),
    adam_eps=1e-8,
    num_epochs=6,
    minibatch_size=None,
    clip_coef=0.2,
    ent_coef=0.01,
    final_ent_coef=0.01,
    vf_coef=0.5,
    max_grad_norm=float("inf"),
    target_kl=float("inf"),
    max_importance=2.0,
)
"""The research prototype's hyper-parameters, for comparison; without the leak between its episodes."""

RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType({r.name: r for r in (DEFAULT, THOROUGH, PROTOTYPE)})


def to_the_end(recipe: Recipe) -> Recipe:
    """Return what a policy that was trained by a recipe is trained by to the end: by `THOROUGH`, if it was `DEFAULT`.

    Hyper-parameters in which the recipe differs from `DEFAULT`, because the run set them itself, stay.
    """
    if recipe.name != DEFAULT.name:
        return recipe
    names = [field.name for field in fields(Recipe) if getattr(recipe, field.name) == getattr(DEFAULT, field.name)]
    return replace(recipe, **{name: getattr(THOROUGH, name) for name in names})


def recipe_of(config: Config) -> Recipe:
    """Return a run's hyper-parameters: its recipe's, but for those that it sets itself.

    What the recipe holds at one value throughout stays at one value: the last follows the first if it isn't set.

    Raises:
        RecipeError: The recipe doesn't use one that is set, or a rate or weight would rise because one end of it was
            set and the other was not.
    """
    base, changes = RECIPES[config.recipe], config.ppo.model_dump(exclude_none=True)
    if base.estimator == "returns" and "gae_lambda" in changes:
        msg = f"--recipe {base.name} has no use for --ppo.gae-lambda: leave it out, or choose another recipe"
        raise RecipeError(msg)
    for first, last in (("learning_rate", "final_learning_rate"), ("ent_coef", "final_ent_coef")):
        if first in changes and getattr(base, first) == getattr(base, last):
            changes.setdefault(last, changes[first])
        start, end = (changes.get(name, getattr(base, name)) for name in (first, last))
        if start < end and (first in changes) != (last in changes):
            given, other = (first, last) if first in changes else (last, first)
            msg = f"with {_flag(given)} alone {first} would rise from {start:g} to {end:g}: give {_flag(other)} as well"
            raise RecipeError(msg)
    return replace(base, **changes)


def _flag(name: str) -> str:
    return f"--ppo.{name.replace('_', '-')}"


def _between(first: float, last: float, progress: float) -> float:
    return first + (last - first) * min(max(progress, 0.0), 1.0)
