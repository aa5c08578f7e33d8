from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from pipeline import Config, Pipeline
from pipeline.ppo.recipe import DEFAULT
from pipeline.types import Estimate, Score, UpdateResult, WorkflowFinished, WorkflowResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from conftest import Measured

    from pipeline.types import Event


@pytest.fixture
def learning() -> ModuleType:
    return import_module("learning")


def updates_of(events: Sequence[Event]) -> list[UpdateResult]:
    """Return the updates among events, without what the clock says of them."""
    return [replace(event, collection_s=0.0, update_s=0.0) for event in events if isinstance(event, UpdateResult)]


async def test_a_run_is_trained_by_the_recipe_that_is_given(learning: ModuleType, tmp_path: Path) -> None:
    config = Config(
        workflow=learning.ORDER,
        total_episodes=64,
        episodes_per_update=32,
        evaluation_episodes=2,
        compliance_threshold=0,
        seed=3,
        collector="sequential",
        log_dir=tmp_path,
    )
    async with Pipeline(config) as pipeline:
        expected = [event async for event in pipeline.events()]
    followed = await learning.follow(config, DEFAULT)
    assert updates_of(followed) == updates_of(expected)
    assert len(updates_of(followed)) == 2
    finished = [[event for event in events if isinstance(event, WorkflowFinished)] for events in (followed, expected)]
    assert finished[0] == finished[1] != []
    nameless = replace(DEFAULT, name="nobody's", learning_rate=2e-4, num_epochs=1)
    first, other = updates_of(followed)[0], updates_of(await learning.follow(config, nameless))[0]
    assert first.env_reward == other.env_reward  # the same fresh policy
    assert (other.learning_rate, other.num_epochs) == (2e-4, 1)
    assert 0 < other.approx_kl < first.approx_kl


def update_of(reward: float) -> UpdateResult:
    """Return an update whose episodes' mean env reward it was."""
    return UpdateResult(**{**dict.fromkeys(UpdateResult.__dataclass_fields__, 0), "env_reward": Estimate(reward, 1.0)})


def test_an_outcome_is_when_it_got_there_and_where_it_ended(learning: ModuleType) -> None:
    config = Config(episodes_per_update=200, red_agent="RedMeanderAgent", seed=9)
    rewards = [-300.0, -90.0, -75.0, -45.0, -15.0, -60.0]  # means of three: -155, -70, -45, -40
    score = Score(9, Estimate(-41.0, 1.0), 0.5, Estimate(-39.0, 1.0), 0.5)
    result = WorkflowResult(0, score, 1200, reached_threshold=False, reason="budget")
    finished = WorkflowFinished(0, learning.ORDER, 0.0, "search", result, True, None, None)
    outcome = learning.outcome("a row", config, [*map(update_of, rewards), finished])
    assert (outcome.row, outcome.red_agent, outcome.seed) == ("a row", "RedMeanderAgent", 9)
    assert outcome.reached_after == (800, 1000, None, None, None)
    assert outcome.last == pytest.approx(-40.0)
    assert (outcome.sampled, outcome.greedy) == (-41.0, -39.0)


@pytest.mark.parametrize(
    ("episodes", "told"),
    [
        ([3000, 1000, 2000], "2,000 (1,000 to 3,000)"),
        ([3000, 1000, 2000, 4000], "3,000 (1,000 to 4,000)"),
        ([None, 1000, 2000], "2,000 (1,000 to 2,000, 1 never)"),
        ([None, 1000, None], "- (1,000 to 1,000, 2 never)"),
        ([None, None], "never"),
    ],
)
def test_one_that_never_came_there_counts_as_the_latest(
    learning: ModuleType, episodes: list[int | None], told: str
) -> None:
    assert learning._after(episodes) == told


def test_it_trains_what_is_asked_for(measured: Measured) -> None:
    runs = measured("learning", "--rows=epochs-4", "--seeds=1", "--episodes=544", "--jobs=1")["runs"]
    assert [(run["row"], run["seed"]) for run in runs] == [("epochs-4", 0)]
    assert runs[0]["greedy"] != runs[0]["sampled"]


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--rows=plain,best", "no such row: 'best'; choose of plain, memory"),
        ("--red-agents=Greedy", "no such Red agent: 'Greedy'"),
        ("--episodes=500", "--episodes 700 or more"),
    ],
)
def test_a_mistake_is_told(
    learning: ModuleType,
    argument: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["learning.py", argument])
    with pytest.raises(SystemExit) as ended:
        learning.main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
