"""PPO's hyper-parameters as a run may set them, one by one; all others are its recipe's (`ppo.recipe`)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from pipeline.table import Table

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Weight: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Limit: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Hyperparameters(Table):
    """What a run sets itself; None: as its recipe has it."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Adam's, at the start of a policy's training."""
    final_learning_rate: Share | None = None
    """Adam's, when the policy's episode cap is reached; linear in between. With a recipe that doesn't change it, as
    learning_rate."""
    gamma: Share | None = None
    """Discount per step, 0 to 1."""
    gae_lambda: Share | None = None
    """Of generalised advantages, 0 to 1: how far a step is judged by what followed rather than by the critic."""
    ent_coef: Weight | None = None
    """Weight of the entropy (nats) in the loss, at the start of a policy's training."""
    final_ent_coef: Weight | None = None
    """The same when the policy's episode cap is reached; linear in between. With a recipe that doesn't change it, as
    ent_coef."""
    clip_coef: Annotated[float, Field(gt=0, le=1)] | None = None
    """How far a probability ratio may move in an update before its gradient stops."""
    num_epochs: Annotated[int, Field(ge=1, le=100)] | None = None
    """Passes over the batch, at most."""
    minibatch_size: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Steps per gradient, as nearly as the batch divides; as many as the batch has, or more, take it whole."""
    target_kl: Limit | None = None
    """Nats from where the update began: an epoch that exceeds it is the last. A large one never stops."""
    vf_coef: Weight | None = None
    """Weight of the value loss."""
    max_grad_norm: Limit | None = None
    """Longest gradient, for actor and critic each. A large one leaves them as they are."""
