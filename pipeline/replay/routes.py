"""What a page asks for while it is open: an episode of a run, or what another choice would have come to.

    GET .../episode?seed=3&episode=417        -> episode(run, query) -> a `Replay`
    GET .../fork?seed=3&episode=417&moment=10 -> fork(run, query)    -> a `Fork`

`static/replay.js` takes both as its `source` has them. A query says which episode; it is the same for both. Everything
is played anew: there is nothing to keep, and the same query gives the same answer. It takes a second or two, and numba:
call these on a thread, with values of a request as they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.cage2.facts.names import RedAgent
from pipeline.cage2.facts.order_names import UnknownOrderError, parse_order
from pipeline.cage2.facts.spec import MAX_EPISODE_STEPS
from pipeline.config import Config
from pipeline.evaluate.trained import load_trained
from pipeline.printable import printable, shown
from pipeline.replay.asked import Asked, play_asked
from pipeline.replay.episode import as_json
from pipeline.replay.errors import ReplayError
from pipeline.run.attackers import require_told
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.replay.episode import Replay
    from pipeline.replay.fork import Fork
    from pipeline.replay.played import Played

MAX_WORST_OF: Final = 10_000
"""Of how many episodes the worst may be asked for: some seconds of work."""
MAX_INDEX: Final = 1_000_000


class Query(BaseModel):
    """What may be asked, in the words of `run.py replay`'s options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0, lt=2**64)
    episode: int = Field(0, ge=0, le=MAX_INDEX)
    worst_of: int | None = Field(None, ge=1, le=MAX_WORST_OF)
    visit: int | None = Field(None, ge=0, le=MAX_INDEX)
    update: int | None = Field(None, ge=0, le=MAX_INDEX)
    row: int = Field(0, ge=0, le=MAX_INDEX)
    steps: int | None = Field(None, ge=1, le=MAX_EPISODE_STEPS)
    red_agent: RedAgent | None = None
    workflow: str | None = None
    greedy: bool = False
    moment: int = Field(0, ge=0, lt=MAX_EPISODE_STEPS)
    """Of a fork: steps played before the choice."""
    choice: str | None = None
    """Of a fork; None: the likeliest that was not taken."""


def episode(run: Path, query: Mapping[str, str]) -> dict[str, Any]:
    """Return an episode as it is drawn, as JSON has it.

    Args:
        run: A run's folder.
        query: Values of `Query`, as texts.

    Raises:
        SetupError: There is no such episode, run or value; the message can be shown.
        PipelineError: It can't be played.
    """
    return _as_dict(_played(run, _checked(query)).replay())


def fork(run: Path, query: Mapping[str, str]) -> dict[str, Any]:
    """Return what another choice would have come to, as JSON has it; see `episode`, and `played.Played.fork`."""
    asked = _checked(query)
    return _as_dict(_played(run, asked).fork(asked.moment, asked.choice))


def _as_dict(value: Replay | Fork) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(as_json(value))
    return content


def _checked(query: Mapping[str, str]) -> Query:
    try:
        return Query.model_validate(dict(query))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = printable(".".join(map(str, first["loc"])))
        raise ReplayError(f"{where} {shown(first['input'])}: {first['msg']}") from None


def _played(run: Path, query: Query) -> Played:
    try:
        workflow_id = None if query.workflow is None else parse_order(query.workflow)
    except UnknownOrderError as error:
        raise ReplayError(str(error)) from None
    trained = load_trained(run, workflow_id)
    asked = Asked(query.episode, query.worst_of, query.visit, query.update, query.row, query.steps, query.greedy)
    values = what_results_depend_on(trained.config)
    if not asked.is_the_runs_own:
        red_agent = {} if query.red_agent is None else {"red_agent": query.red_agent}
        values = {**values, "red_sha256": {}, "seed": query.seed, **red_agent}
    if asked.is_the_runs_own or query.red_agent is None:
        require_told(run, trained.config, None)  # an attacker's code is not run by a folder's word
    return play_asked(asked, trained, Config.model_validate(values))
