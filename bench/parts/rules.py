"""Ways to search: what to try next, and which order to name as the best, given what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from pipeline.cage2.facts.order_names import NUM_PAIRS, NUM_WORKFLOWS
from pipeline.cage2.facts.orders import KENDALL, ORDERS
from pipeline.workflows import choice
from pipeline.workflows.observations import Observation
from pipeline.workflows.posterior import expecting, fit
from pipeline.workflows.targets import standardise

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

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

    def __call__(self, visits: Sequence[Observation]) -> Advice:
        """Return what to do after at least one visit; they come in the order of time."""
        ...


class RuleForSeveral(Protocol):
    """A way to search that heeds what is under way."""

    def __call__(self, visits: Sequence[Observation], under_way: Sequence[int]) -> Advice:
        """Return what to do after at least one visit, while some orders have been picked and not heard of."""
        ...


def latest(visits: Sequence[Observation]) -> list[Observation]:
    """Return what the last visit to each order found, by ascending id: a policy that was trained on is another one."""
    by_order = {visit.workflow_id: visit for visit in visits}
    return [by_order[workflow_id] for workflow_id in sorted(by_order)]


def averaged(visits: Sequence[Observation]) -> list[Observation]:
    """Return the mean over the visits to each order, by ascending id, as if each had been a training of its own."""
    by_order = {workflow_id: [v for v in visits if v.workflow_id == workflow_id] for workflow_id in _orders(visits)}
    return [
        Observation(
            workflow_id,
            float(np.mean([visit.env_reward for visit in each])),
            float(np.sqrt(np.mean([visit.stderr**2 for visit in each]) / len(each))),
        )
        for workflow_id, each in sorted(by_order.items())
    ]


def random_choice(visits: Sequence[Observation]) -> Advice:
    """Any order that has not been tried; the best observed is the best."""
    scores = np.zeros(NUM_WORKFLOWS)
    scores[list(_orders(visits))] = -1
    return Advice(scores, _best_observed(visits))


def prototype(visits: Sequence[Observation]) -> Advice:
    """Score orders as the research prototype does, with rewards of standard deviation 10, its best case."""
    tried = [visit.workflow_id for visit in visits]
    if len(tried) < 2:
        return random_choice(visits)
    rewards = 10 * np.array([visit.env_reward for visit in visits])
    weights = np.exp(-2 * KENDALL[:, tried])  # [120, n]
    mean, std = weights @ rewards / weights.sum(axis=1), 10 * KENDALL[:, tried].min(axis=1) + 1
    counts = np.bincount(tried, minlength=NUM_WORKFLOWS)
    for workflow_id in set(tried):
        mean[workflow_id] = rewards[tried.index(workflow_id)]
        std[workflow_id] = 1 / (1 + counts[workflow_id])
    return Advice(mean + 2 / (1 + counts / 2) * std, _best_observed(visits))


def pipeline(visits: Sequence[Observation], under_way: Sequence[int] = ()) -> Advice:
    """Do as the project's search does (`pipeline.workflows`): name the observed order of the highest posterior mean."""
    return _by_posterior(latest(visits), new_alone=True, under_way=under_way)


def revisiting(visits: Sequence[Observation]) -> Advice:
    """Do so by the mean of all visits to an order, and visit the leader again, every other time at most."""
    return _by_posterior(averaged(visits), new_alone=visits[-1].workflow_id in _orders(visits[:-1]))


def _by_posterior(observations: list[Observation], *, new_alone: bool, under_way: Sequence[int] = ()) -> Advice:
    posterior = fit(observations)
    believed = expecting(posterior, under_way) if under_way else posterior
    scores = believed.mean + BETA * believed.std
    if new_alone and len(posterior.observed) < NUM_WORKFLOWS:
        scores[list(posterior.observed)] = -np.inf
    scores[list(under_way)] = -np.inf
    return Advice(scores, posterior.best)


class PlainGp:
    """GP-UCB with one kernel, whose decay, and noise, maximise the marginal likelihood over a grid.

    Args:
        kernels: `[D, 120, 120]`, the kernel at each decay.
    """

    NOISES = (0.003, 0.01, 0.03, 0.1, 0.3)

    def __init__(self, kernels: npt.NDArray[np.float64]) -> None:
        self._kernels = kernels + 1.0  # a constant of unit variance is integrated out

    def __call__(self, visits: Sequence[Observation]) -> Advice:
        """See `Rule`; the best is the observed order of the highest posterior mean."""
        observations = latest(visits)
        ids = np.array([observation.workflow_id for observation in observations])
        targets = standardise(observations)
        noise = targets.noise + np.array(self.NOISES)[:, None]  # [N, n]
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
    "revisiting": revisiting,
    "project": pipeline,
}


SEVERAL: dict[str, tuple[RuleForSeveral, int]] = {"project-4": (pipeline, 4), "project-16": (pipeline, 16)}
"""Rules that pick so many orders at a time, and hear of all of them together."""


def next_orders(rule: str, visits: Sequence[Observation], rng: np.random.Generator) -> list[int]:
    """Return the orders to try next: one, but for those rules that take several at a time; at first any."""
    if rule in RULES:
        return [_highest(RULES[rule](visits), rng) if visits else choice.choose(None, EVERY, BETA, rng).workflow_id]
    pick, num = SEVERAL[rule]
    if not visits:
        return [int(order) for order in rng.permutation(NUM_WORKFLOWS)[:num]]
    orders: list[int] = []
    while len(orders) < num:
        orders.append(_highest(pick(visits, orders), rng))
    return orders


def best_order(rule: str, visits: Sequence[Observation]) -> int:
    """Return the order that a rule names as the best."""
    advice = RULES[rule](visits) if rule in RULES else SEVERAL[rule][0](visits, ())
    return advice.best


def _highest(advice: Advice, rng: np.random.Generator) -> int:
    highest = advice.scores.max()
    return int(rng.choice(np.flatnonzero(advice.scores >= highest - 1e-9 * max(1.0, abs(highest)))))


def _best_observed(visits: Sequence[Observation]) -> int:
    return max(latest(visits), key=lambda observation: observation.env_reward).workflow_id


def _orders(visits: Sequence[Observation]) -> set[int]:
    return {visit.workflow_id for visit in visits}
