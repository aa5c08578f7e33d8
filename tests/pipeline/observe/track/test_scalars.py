from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.observe.track.scalars import scalars_of
from pipeline.types import UpdateResult, WorkflowFinished

if TYPE_CHECKING:
    from pipeline.types import Event


def test_updates_and_visits_have_some_and_nothing_else_has(events: list[Event]) -> None:
    for event in events:
        assert bool(scalars_of(event)) == isinstance(event, UpdateResult | WorkflowFinished)
    (update,) = (event for event in events if isinstance(event, UpdateResult))
    assert scalars_of(update)["episode/env_reward"] == update.env_reward.mean
    (finished,) = (event for event in events if isinstance(event, WorkflowFinished))
    assert scalars_of(finished)["search/compliance"] == finished.result.score.compliance
