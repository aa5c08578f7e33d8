"""What the rewards of the 120 orders might be like: the models that a fit weighs against one another.

| models | what matters | prior |
| --- | --- | --- |
| *precedences* | who stands before whom among two to five of the host types; the others don't matter | 0.42 |
| *positions* | who stands where: everywhere alike, towards the front, in the first two places, in the first | 0.42 |
| *flat* | nothing, or nearly: the orders are equal but for noise | 0.13 |
| *alone* | everything at once: no order says anything about another | 0.03 |

Precedences and positions come in two forms: as they stand, and with a tenth of their variance for what they leave
unexplained, which is smooth over all pairs.

That a host type does not matter is thus a hypothesis with a probability, rather than a decay that an optimiser has
to drive to zero. All parameters are fixed, for targets of unit variance, so the covariances of all orders
are computed once and a fit needs no optimiser.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from pipeline import extras
from pipeline.cage2.facts.order_names import NUM_HOST_TYPES, NUM_PAIRS, NUM_WORKFLOWS, PAIRS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

_DECAYS: Final = (0.05, 0.2, 0.8)
"""Of the precedences of three and more types: smooth to rugged."""
_DECAY_OF_ONE_PAIR: Final = 1.0
"""There are but two values then, and any decay says the same."""
_ALONE: Final = 50.0
"""A decay at which no correlation is left."""
_REST: Final = 0.1
"""Share of the variance that a model in its second form leaves to the rest."""
_REST_DECAY: Final = 0.2
_WEIGHTS: Final = (
    (0.2, 0.2, 0.2, 0.2, 0.2),
    (0.5, 0.25, 0.15, 0.1, 0.0),
    (0.6, 0.4, 0.0, 0.0, 0.0),
    (1.0, 0.0, 0.0, 0.0, 0.0),
)
"""Variance that each position accounts for."""
_FLAT: Final = (0.01, 0.1)
"""Variances of what differences there are between orders that are nearly equal."""

_NO_DECAY: Final = (0.0,) * NUM_PAIRS
_NO_WEIGHT: Final = (0.0,) * NUM_HOST_TYPES


class Model(NamedTuple):
    """A hypothesis; the fields are those of `kernel.OrderKernel`."""

    prior: float
    """Probability before anything is observed; all sum to 1."""
    share: float = 0.0
    decay: tuple[float, ...] = _NO_DECAY
    weight: tuple[float, ...] = _NO_WEIGHT
    rest: float = 0.0


def _precedences(prior: float) -> Iterator[Model]:
    """Each number of types is as probable as another, and so is each choice of so many, and each decay for it."""
    sizes = range(2, NUM_HOST_TYPES + 1)
    for size in sizes:
        decays = _DECAYS if size > 2 else (_DECAY_OF_ONE_PAIR,)
        each = prior / len(sizes) / math.comb(NUM_HOST_TYPES, size) / len(decays)
        for types in combinations(range(NUM_HOST_TYPES), size):
            for decay in decays:
                yield Model(each, 1.0, tuple(decay * (i in types and j in types) for i, j in PAIRS))


def _positions(prior: float) -> Iterator[Model]:
    for weight in _WEIGHTS:
        yield Model(prior / len(_WEIGHTS), weight=weight)


def _with_rest(models: Iterator[Model]) -> Iterator[Model]:
    for model in models:
        prior, share = model.prior / 2, (1 - _REST) * model.share
        yield model._replace(prior=prior)
        yield model._replace(
            prior=prior, share=share, weight=tuple((1 - _REST) * weight for weight in model.weight), rest=_REST
        )


MODELS: Final = (
    *_with_rest(_precedences(0.42)),
    *_with_rest(_positions(0.42)),
    *(Model(0.13 / len(_FLAT), rest=variance) for variance in _FLAT),
    Model(0.03, 1.0, (_ALONE,) * NUM_PAIRS),
)
"""All of them."""

PRIORS: Final = np.array([model.prior for model in MODELS])
"""`[M]` float64, read-only."""
PRIORS.setflags(write=False)


@cache
def covariances() -> npt.NDArray[np.float64]:
    """Return what each model says of all orders: `[M, 120, 120]` float64, read-only.

    Raises:
        NotInstalledError: torch or gpytorch isn't installed.
    """
    extras.require("the Gaussian process over orders", "torch", "gpytorch")
    import torch  # takes seconds, and who asks for a policy may well never fit

    from pipeline.workflows.kernel import OrderKernel, features

    kernel = OrderKernel(
        share=torch.tensor([model.share for model in MODELS], dtype=torch.float64),
        decay=torch.tensor([model.decay for model in MODELS], dtype=torch.float64),
        weight=torch.tensor([model.weight for model in MODELS], dtype=torch.float64),
        rest=torch.tensor([model.rest for model in MODELS], dtype=torch.float64),
        rest_decay=_REST_DECAY,
    )
    with torch.no_grad():
        table: npt.NDArray[np.float64] = kernel(features(range(NUM_WORKFLOWS))).to_dense().numpy()
    table.setflags(write=False)
    return table
