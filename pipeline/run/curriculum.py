"""What is trained next, for how long and on which orders, and what the search hears of it.

```
begin -> Visit -> updates on `orders`, until `limits` -> `evaluation_plan`: fresh episodes -> finish -> the search
```

| curriculum | a visit is | its orders |
| --- | --- | --- |
| `searched.Searched` | a stay with the workflow that GP-UCB picked; a finalist's heat; the winner's training | its |
| `searched.Single` | the whole run, or what a larger budget adds | the one asked for |
| `shared.Shared` | a tenth of the run, of one policy for all orders | drawn by the search |

Every visit ends with an evaluation by fresh episodes, and that alone decides whether its workflow counts as learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.learn.learner import VisitOutcome
    from pipeline.learn.visit import Schedule, Visit, VisitLimits
    from pipeline.policy.store import PolicyStore
    from pipeline.types import OrdersEvaluated, Score, WorkflowResult


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """The fresh episodes that a visit ends with."""

    workflow_ids: tuple[int, ...]
    num_episodes: int
    """Per order."""
    greedy_too: bool
    """See `learn.evaluation.evaluate`."""


@dataclass(frozen=True, slots=True)
class VisitVerdict:
    """What a visit came to, and what the search made of it."""

    result: WorkflowResult
    gp_updated: bool
    """Whether the Gaussian process learned what the policy is worth."""
    orders_evaluated: OrdersEvaluated | None = None
    """The evaluation, if it was one of all orders."""


class Curriculum(Protocol):
    """Decides what is trained, by the search that it was made with. It holds no other state."""

    def begin(
        self, store: PolicyStore, remaining: int, under_way: Sequence[Visit] = (), num_free: int = 1
    ) -> Visit | None:
        """Return the next visit, or None if there is none before one of those under way has ended.

        May fit the Gaussian process: not for the event loop.

        Args:
            store: Makes the policy.
            remaining: Episodes that the run has left.
            under_way: Visits that go on.
            num_free: Visits that may begin now, this one included: they share what is left.
        """
        ...

    def limits(self, visit: Visit) -> VisitLimits:
        """Return what ends a visit."""
        ...

    def schedule(self, visit: Visit) -> Schedule:
        """Return what a visit learns by."""
        ...

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """Return the workflow of each episode of a visit's update: a function of these and of the search's state."""
        ...

    def evaluation_plan(self, visit: Visit, num_episodes: int) -> EvaluationPlan:
        """Return how to evaluate the policy after a visit. Args: num_episodes: that it was trained for."""
        ...

    def finish(self, visit: Visit, outcome: VisitOutcome, scores: Sequence[Score]) -> VisitVerdict:
        """Tell the search how a visit ended.

        Args:
            visit: The visit.
            outcome: How its training ended.
            scores: What came of its evaluation, one per order of the plan.
        """
        ...
