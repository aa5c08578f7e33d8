"""What a run's search has found, in a few lines for people, however many orders are equal."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Self

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.types import PairEffect, RunFinished, Score, Settling, TiedOrder

_MAX_NAMED: Final = 5
"""Ties that are written out; of more, only the first few are."""
_NUM_OF_MANY: Final = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What a run has found, at its end or so far; each field is that of `RunFinished`."""

    num_observed: int
    too_few_observed: bool
    best_workflow: str | None
    best_score: Score | None
    posterior_best: str | None
    posterior_mean: float | None
    posterior_std: float | None
    tied_with_best: tuple[TiedOrder, ...]
    pairs: tuple[PairEffect, ...]
    settling: Settling | None

    @classmethod
    def of(cls, finished: RunFinished) -> Self:
        """Return what a run had found at its end."""
        return cls(**{field.name: getattr(finished, field.name) for field in fields(cls)})


def findings(found: Found) -> Iterator[str]:
    """Yield the lines.

    Args:
        found: By a run with a best workflow.
    """
    yield f"best workflow: {found.best_workflow}"
    if found.best_score is not None:
        yield f"   {_score(found.best_score)}"
    seen = f"{found.num_observed} of {NUM_WORKFLOWS} orders reached the compliance threshold in the search"
    if found.num_observed < 2:
        return
    if found.too_few_observed:
        yield f"   {seen}: too few to say how the others compare"
        return
    yield f"   {seen}; what is said of the others is inferred from these"
    yield (
        f"   as trained in the search, the best of them is believed to be {found.posterior_best}, at "
        f"{found.posterior_mean:.1f} ± {found.posterior_std:.1f}"
    )
    others = [order for order in found.tied_with_best if order.workflow_order != found.posterior_best]
    decisive = [pair for pair in found.pairs if pair.matters]
    if others:
        yield from _ties(others, [pair for pair in decisive if _all_have(pair, found.tied_with_best)])
    else:
        yield "   no other order comes within a point of it, as far as can be told"
    if decisive:
        yield f"   what matters: {', '.join(map(_effect, decisive))}"
    else:
        yield "   what matters: no pair of host types, as far as can be told"
    if found.settling is not None and others:
        yield f"   {_settling(found.settling)}"


def _ties(others: list[TiedOrder], rules: list[PairEffect]) -> Iterator[str]:
    num_tried = sum(order.observed for order in others)
    number = f"{len(others)} other{'s' if len(others) > 1 else ''}, {num_tried} of them trained to the threshold"
    rule = f"; all have {' and '.join(f'{pair.first} before {pair.second}' for pair in rules)}" if rules else ""
    yield f"   as good to within a point, as far as can be told: {number}{rule}"
    named = others if len(others) <= _MAX_NAMED else others[:_NUM_OF_MANY]
    for order in named:
        note = "" if order.observed else " (not trained to it)"
        yield f"      {order.probability:4.0%} likely  {order.workflow_order}{note}"
    if len(named) < len(others):
        yield f"      and {len(others) - len(named)} more: see summary.json"


def _all_have(pair: PairEffect, orders: tuple[TiedOrder, ...]) -> bool:
    """Return whether the pair stands the better way round in all orders."""
    places = [order.workflow_order.split(" -> ") for order in orders]
    return all(place.index(pair.first) < place.index(pair.second) for place in places)


def _effect(pair: PairEffect) -> str:
    return f"{pair.first} before {pair.second} (+{pair.mean:.1f} ± {pair.std:.1f})"


def _score(score: Score) -> str:
    """Return what the policy is worth by its latest evaluation: its final score."""
    text = f"env reward {score.env_reward.mean:.1f} ± {score.env_reward.stderr:.1f}, compliance {score.compliance:.2f}"
    greedy = score.greedy_env_reward
    if greedy is not None and score.greedy_compliance is not None:
        text = (
            f"greedy: env reward {greedy.mean:.1f} ± {greedy.stderr:.1f}, compliance {score.greedy_compliance:.2f}; "
            f"sampled: {score.env_reward.mean:.1f} ± {score.env_reward.stderr:.1f}, {score.compliance:.2f}"
        )
    return f"{text} ({score.num_evaluated:,} fresh episodes)"


def _settling(settling: Settling) -> str:
    if settling.episodes_per_order is None:
        return "what would tell them apart is not known: no evaluation told how much episodes differ"
    each = settling.episodes_per_order
    return (
        f"to tell these {settling.num_orders} policies apart to within a point takes some {each:,} more evaluation "
        f"episodes for each, {each * settling.num_orders:,} in all"
    )
