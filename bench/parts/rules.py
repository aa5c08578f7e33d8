"""Ways to search: what to try next, and which order to name as the best, given what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from pipeline.cage2.facts.orders import KENDALL, NUM_PAIRS, NUM_WORKFLOWS, ORDERS
from pipeline.workflows import choice
from pipeline.workflows.observations import pool, repeats
from pipeline.workflows.posterior import fit
from pipeline.workflows.targets import standardise

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pipeline.workflows.observations import Observation

BETA = 2.0
"""Standard deviations that all confidence bounds add to the mean."""
EVERY = np.ones(NUM_WORKFLOWS, dtype=bool)


class Advice(NamedTuple):
    """What a rule makes of the observations."""

    scores: npt.NDArray[np.float64]
    """`[120]` float64: the order with the highest is tried next, ties by lot."""
    best: int
    """Id of the order that it names as the best."""


class Rule(Protocol):
    """A way to search."""

    def __call__(self, observations: Sequence[Observation]) -> Advice:
        """Return what to do after at least one observation."""
        ...


def random_choice(observations: Sequence[Observation]) -> Advice:
    """Any order that has not been tried; the best observed is the best."""
    scores = np.zeros(NUM_WORKFLOWS)
    scores[[observation.workflow_id for observation in observations]] = -1
    return Advice(scores, _best_observed(observations))


def prototype(observations: Sequence[Observation]) -> Advice:
    """Score orders as the research prototype does, with rewards of standard deviation 10, its best case."""
    tried = [observation.workflow_id for observation in observations]
    if len(tried) < 2:
        return random_choice(observations)
    rewards = 10 * np.array([observation.env_reward for observation in observations])
    weights = np.exp(-2 * KENDALL[:, tried])  # [120, n]
    mean, std = weights @ rewards / weights.sum(axis=1), 10 * KENDALL[:, tried].min(axis=1) + 1
    counts = np.bincount(tried, minlength=NUM_WORKFLOWS)
    for workflow_id in set(tried):
        mean[workflow_id] = rewards[tried.index(workflow_id)]
        std[workflow_id] = 1 / (1 + counts[workflow_id])
    return Advice(mean + 2 / (1 + counts / 2) * std, _best_observed(observations))


def pipeline(observations: Sequence[Observation]) -> Advice:
    """Do as the project's search does (`pipeline.workflows`): name the observed order of the highest posterior mean."""
    posterior = fit(observations)
    observed = np.array(posterior.observed)
    scores = posterior.mean + BETA * posterior.std
    if repeats(observations) and len(observed) < NUM_WORKFLOWS:
        scores[observed] = -np.inf
    return Advice(scores, int(observed[posterior.mean[observed].argmax()]))


class PlainGp:
    """GP-UCB with one kernel, whose decay, and noise, maximise the marginal likelihood over a grid.

    Args:
        kernels: `[D, 120, 120]`, the kernel at each decay.
    """

    NOISES = (0.003, 0.01, 0.03, 0.1, 0.3)

    def __init__(self, kernels: npt.NDArray[np.float64]) -> None:
        self._kernels = kernels + 1.0  # a constant of unit variance is integrated out

    def __call__(self, observations: Sequence[Observation]) -> Advice:
        """See `Rule`; the best is the observed order of the highest posterior mean."""
        pooled = pool(observations)
        ids = np.array([order.workflow_id for order in pooled])
        targets = standardise(pooled)
        noise = (targets.noise + np.array(self.NOISES)[:, None]) / targets.num_visits  # [N, n]
        covariance = self._kernels[:, None, ids[:, None], ids] + noise[:, :, None] * np.eye(len(ids))  # [D, N, n, n]
        solved = np.linalg.solve(covariance, targets.values[:, None])[..., 0]
        likelihood = -0.5 * (solved @ targets.values) - 0.5 * np.linalg.slogdet(covariance)[1]  # [D, N]
        decay, level = np.unravel_index(likelihood.argmax(), likelihood.shape)
        across = self._kernels[decay][:, ids]  # [120, n]
        mean = across @ solved[decay, level]
        explained = (across * np.linalg.solve(covariance[decay, level], across.T).T).sum(axis=1)
        std = np.sqrt(np.maximum(self._kernels[decay].diagonal() - explained, 0.0))
        return Advice(mean + BETA * std, int(ids[mean[ids].argmax()]))


_DECAYS = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6])[:, None, None]
_APART = (ORDERS[:, None] != ORDERS[None]).sum(axis=2)  # [120, 120], positions

RULES: dict[str, Rule] = {
    "random": random_choice,
    "prototype": prototype,
    "mallows": PlainGp(np.exp(-_DECAYS * NUM_PAIRS * KENDALL)),
    "position": PlainGp((ORDERS[:, None] == ORDERS[None]).mean(axis=2)[None]),
    "one-hot": PlainGp(np.exp(-_DECAYS * _APART)),
    "project": pipeline,
}


def next_order(rule: Rule, observations: Sequence[Observation], rng: np.random.Generator) -> tuple[int, int]:
    """Return the order to try next, and the one that is named as the best."""
    advice = rule(observations)
    highest = advice.scores.max()
    tied = np.flatnonzero(advice.scores >= highest - 1e-9 * max(1.0, abs(highest)))
    return int(rng.choice(tied)), advice.best


def first_order(rng: np.random.Generator) -> int:
    """Return the order that is tried first: any."""
    return choice.choose(None, EVERY, BETA, rng).workflow_id


def _best_observed(observations: Sequence[Observation]) -> int:
    return max(pool(observations), key=lambda order: order.env_reward).workflow_id
