from __future__ import annotations

import dataclasses
import io
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from native_buffers.ring import RingStatistics
from pipeline.cage2.facts.order_names import order_name
from pipeline.collect.collection import CollectionStatistics
from pipeline.config import Config
from pipeline.observe import dashboard as module
from pipeline.observe.dashboard import MAX_VISITS, Dashboard
from pipeline.observe.statistics import PipelineStatistics
from pipeline.run.training import NUM_PROMISING
from pipeline.types import Compiling, EpisodesCollected, EpisodesLost, Estimate, RunStarted, WorkflowStarted
from pipeline.workflows.status import Belief

if TYPE_CHECKING:
    from pipeline.types import Event, UpdateResult, WorkflowFinished


def statistics(
    total_episodes: int, workers_alive: int = 3, finals_episodes: int = 0, promising: tuple[Belief, ...] = ()
) -> PipelineStatistics:
    return PipelineStatistics(
        total_episodes=total_episodes,
        total_updates=0,
        finals_episodes=finals_episodes,
        promising=promising,
        num_evaluated=0,
        workers_alive=workers_alive,
        num_rebuilds=0,
        ring=RingStatistics(16, 5, 6, 3, 1, 1, 7000, 112_000),
        collection=CollectionStatistics(0, 0, 0, 0, 0, 0.0),
        dropped_events=0,
        first_episode_s=None,
        wall_s=1.0,
        seconds={},
    )


class Screen:
    """A dashboard on a terminal of text, with a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, width: int = 100, height: int = 30, **changes: Any) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        self.stream = io.StringIO()
        console = Console(file=self.stream, width=width, height=height, force_terminal=True, color_system=None)
        run = {"workers": 4, "total_episodes": 1000, "max_episodes_per_workflow": 320, "episodes_per_update": 32}
        config = Config.model_validate(run | changes)
        self.total_episodes = self.finals_episodes = 0
        self.workers_alive = 3
        self.promising: tuple[Belief, ...] = ()
        self.dashboard = Dashboard(config, self.statistics, console)

    def statistics(self) -> PipelineStatistics:
        return statistics(self.total_episodes, self.workers_alive, self.finals_episodes, self.promising)

    def show(self, event: Event, after_s: float = 1.0) -> str:
        """Show an event; return what is drawn for it, without control codes."""
        self.now_s += after_s
        self.stream.seek(0)
        self.stream.truncate()
        self.dashboard(event)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.stream.getvalue())


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(monkeypatch)


def test_it_shows_rewards_compliance_and_the_best_workflow(
    screen: Screen, events: list[Event], update: UpdateResult, finished: WorkflowFinished
) -> None:
    with screen.dashboard:
        for event in events:
            text = screen.show(event)
            assert "workers" in text
            assert all(len(line.rstrip()) <= 100 for line in text.splitlines())
        text = screen.show(update)
        assert "episodes/s" in text
        assert "env reward -123.5 ± 4.6" in text
        assert "bonus 12.3" in text
        assert "total -111.1" in text
        assert "compliance 0.41" in text
        assert "fixes 17.1" in text
        assert re.search(rf"best +{finished.workflow_order} +env reward -20\.2", text)
        assert "3 of 4 alive" in text
        assert "11 of 16 slots in use" in text


def test_without_a_learned_workflow_there_is_no_best(screen: Screen, finished: WorkflowFinished) -> None:
    missed = dataclasses.replace(
        finished,
        result=dataclasses.replace(finished.result, reached_threshold=False, reason="patience"),
        best_workflow=None,
        best_score=None,
    )
    with screen.dashboard:
        text = screen.show(missed)
    assert "no workflow learned yet" in text
    assert "missed (patience) env reward -20.2 ± 1.0 (greedy -18.8) compliance 0.96 640 episodes" in " ".join(
        text.split()
    )


def test_the_best_workflow_is_the_one_that_the_run_would_name(screen: Screen, finished: WorkflowFinished) -> None:
    with screen.dashboard:
        for order, reward in (("first", -30.0), ("second", -10.0), ("third", -20.0)):
            score = dataclasses.replace(finished.result.score, env_reward=Estimate(reward, 1.0))
            text = screen.show(dataclasses.replace(finished, best_workflow=order, best_score=score))
    assert re.search(r"best +third +env reward -20\.0", text)


def test_progress_speed_and_time_left(screen: Screen, update: UpdateResult) -> None:
    with screen.dashboard:
        screen.show(WorkflowStarted(0, 57, "some order", 1.0, resumed_policy=False, part="search"))
        text = screen.show(EpisodesCollected(0, 10, 32))
        assert re.search(r"run .* 10/1000\s", text)
        assert re.search(r"speed +10\.0 episodes/s, 1m39s left", text)
        assert re.search(r"training +some order +0 episodes", text)
        screen.total_episodes = 32
        text = screen.show(update)
        assert re.search(r"run .* 32/1000\s", text)
        assert re.search(r"speed +16\.0 episodes/s, 1m00s left", text)


def test_the_parts_of_a_run(screen: Screen, update: UpdateResult) -> None:
    def parts(text: str) -> list[str]:
        return re.findall(r"(search|finals) .* (\d+/\d+)", text)

    with screen.dashboard:
        screen.total_episodes = 96
        assert parts(screen.show(update)) == [("search", "96/300"), ("finals", "0/700")]
        screen.total_episodes, screen.finals_episodes = 480, 160
        assert parts(screen.show(update)) == [("search", "320/320"), ("finals", "160/680")]  # updates are whole
        screen.total_episodes, screen.finals_episodes = 800, 0
        assert parts(screen.show(update)) == [("search", "800/800"), ("finals", "0/200")]  # nothing to hold them with


@pytest.mark.parametrize(
    "changes",
    [{"finals_share": 0}, {"policy": "shared"}, {"workflow": order_name(3)}],
    ids=str,
)
def test_a_run_of_one_part_has_one_bar(
    changes: dict[str, Any], update: UpdateResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(monkeypatch, **changes)
    with screen.dashboard:
        text = screen.show(update)
    assert re.search(r"run .* 0/1000\s", text)
    assert not re.search("search|finals", text)


def test_returns_are_drawn_as_a_curve(screen: Screen, update: UpdateResult) -> None:
    with screen.dashboard:
        for reward in (-100.0, -30.0, -70.0):
            text = screen.show(dataclasses.replace(update, env_reward=Estimate(reward, 1.0)))
    assert re.search(r"returns +-100\.0 ▁█▄ -30\.0\s", text)


def test_the_best_orders_are_shown_with_what_they_are_believed_to_be_worth(
    screen: Screen, update: UpdateResult
) -> None:
    with screen.dashboard:
        assert "believed" not in screen.show(update)
        screen.promising = (Belief(57, -18.33, 1.24, observed=True), Belief(3, -19.0, 4.0, observed=False))
        text = screen.show(update)
    assert re.search(r"believed +as trained in the search: ● reached the threshold, ○ inferred", text)
    assert re.search(rf"● -18\.3 ± 1\.2 +{order_name(57)}\s+○ -19\.0 ± 4\.0 +{order_name(3)}\s", text)


def test_all_of_it_fits_on_a_usual_terminal(
    update: UpdateResult, finished: WorkflowFinished, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(monkeypatch, width=80, height=24)
    screen.promising = tuple(Belief(57, -1188.33, 100.24, observed=True) for _ in range(NUM_PROMISING))
    with screen.dashboard:
        for number in range(MAX_VISITS + 2):
            screen.show(WorkflowStarted(number, number, order_name(100 + number), 1.0, False, "search"))
        screen.show(finished)
        screen.show(Compiling(7.2, 20.0))
        lines = screen.show(EpisodesCollected(0, 10, 32)).splitlines()
    assert "workers" in lines[-1]


def test_it_shows_all_visits_under_way_or_how_many_there_are(
    screen: Screen, update: UpdateResult, finished: WorkflowFinished
) -> None:
    with screen.dashboard:
        for number in range(6):
            text = screen.show(WorkflowStarted(number, number, f"order {number}", 1.0, False, "search"))
        assert re.search(r"training +order 0 +0 episodes\s+order 1 .*\s+order 2 .*\s+order 3 .*\s+and 2 more", text)
        for _ in range(50):
            text = screen.show(dataclasses.replace(update, workflow_order="order 1"))
        assert re.search(r"order 1 +1,600 episodes", text)
        for order in ("order 1", "order 0"):
            screen.show(dataclasses.replace(finished, workflow_order=order))
        text = screen.show(EpisodesCollected(0, 10, 32))
        assert re.search(r"training +order 2 +0 episodes\s+order 3 .*\s+order 4 .*\s+order 5 +0 episodes\s", text)
        assert "more" not in text
        text = screen.show(update)  # of a visit that began before this run was resumed
        assert "and 1 more" in text


def test_until_the_first_episode_it_says_what_is_waited_for(screen: Screen, update: UpdateResult) -> None:
    screen.workers_alive = 0
    with screen.dashboard:
        text = screen.show(RunStarted("logs/run", resumed=False))
        assert re.search(r"workers +starting", text)
        assert "compiling" not in text
        text = screen.show(Compiling(7.2, 20.0))
        assert re.search(r"compiling +once, about 20 s; 7 s so far", text)
        assert "episodes/s" not in text
        screen.workers_alive, screen.total_episodes = 3, 32
        text = screen.show(update)
        assert "3 of 4 alive" in text
        assert "compiling" not in text
        assert "episodes/s" in text


def test_progress_never_falls_back(screen: Screen, update: UpdateResult) -> None:
    """While a batch is learned from, the next one fills: its episodes are reported before the batch counts."""
    with screen.dashboard:
        screen.show(EpisodesCollected(0, 30, 32))
        assert re.search(r"run .* 30/1000", screen.show(EpisodesCollected(1, 4, 32)))
        screen.total_episodes = 32
        assert re.search(r"run .* 32/1000\s", screen.show(update))


def test_it_is_drawn_a_few_times_a_second_at_most(screen: Screen, update: UpdateResult) -> None:
    with screen.dashboard:
        assert screen.show(update, after_s=1.0) != ""
        assert screen.show(update, after_s=0.1) == ""
        assert screen.show(update, after_s=0.11) != ""


def test_lost_workers_are_told(screen: Screen) -> None:
    with screen.dashboard:
        assert "3 episodes lost: they are played again" in screen.show(EpisodesLost(3, 1))


@pytest.mark.parametrize(("width", "bar"), [(80, 40), (40, 10)])
def test_a_usual_terminal_has_room_for_bars_and_totals_and_for_whole_words(
    width: int, bar: int, update: UpdateResult, finished: WorkflowFinished, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(monkeypatch, width, total_episodes=100_000, max_episodes_per_workflow=100_000)
    screen.total_episodes = 100_000
    with screen.dashboard:
        screen.show(WorkflowStarted(0, 57, update.workflow_order, 1.0, resumed_policy=False, part="search"))
        ended = screen.show(finished)
        shown = screen.show(update)
    assert re.search(rf"run +━{{{bar},}} 100000/100000", shown)
    for text, words in (
        (
            shown,
            f"training {update.workflow_order} 32 episodes update 3 env reward -123.5 ± 4.6 bonus 12.3 total -111.1",
        ),
        (ended, f"2 {finished.workflow_order} learned env reward -20.2 ± 1.0 (greedy -18.8) compliance 0.96"),
    ):
        assert words in " ".join(text.split())


@pytest.mark.parametrize("width", [20, 40, 300])
def test_any_terminal_will_do(width: int, events: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(monkeypatch, width)
    with screen.dashboard:
        for event in events:
            assert all(len(line.rstrip()) <= width for line in screen.show(event).splitlines())


def test_it_draws_to_stderr_and_gives_the_terminal_back(capsys: pytest.CaptureFixture[str]) -> None:
    with Dashboard(Config(), lambda: statistics(0)) as dashboard:
        dashboard(EpisodesLost(3, 1))
    out, err = capsys.readouterr()
    assert out == ""
    assert "3 episodes lost" in err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0m00s"), (59.9, "0m59s"), (61, "1m01s"), (3600 * 25 + 60, "25h01m")]
)
def test_durations(seconds: float, text: str) -> None:
    assert module._duration(seconds) == text
