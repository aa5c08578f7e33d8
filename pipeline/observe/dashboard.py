"""The live view of a run on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from pipeline.cage2.facts.order_names import order_name
from pipeline.observe.curve import Curve
from pipeline.types import Compiling, EpisodesCollected, EpisodesLost, UpdateResult, WorkflowFinished, WorkflowStarted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.progress import TaskID

    from pipeline.config import Config
    from pipeline.observe.statistics import PipelineStatistics
    from pipeline.types import Event, Score

REFRESH_INTERVAL_S = 0.2
MAX_VISITS = 4
"""That are shown of those under way: a usual terminal has 24 lines."""
_FIRST_COLUMN = 9
"""Characters: bars and what stands below them begin at the same place."""
RATE_WINDOW_S = 30.0
"""Seconds that the shown speed is averaged over."""


class Dashboard:
    """Shows a run's progress, its returns, its latest update and its best workflows; ended ones scroll by above."""

    def __init__(
        self, config: Config, statistics: Callable[[], PipelineStatistics], console: Console | None = None
    ) -> None:
        """Args: config: the run. statistics: asked at each refresh. console: where to draw, stderr by default."""
        self._config = config
        self._statistics = statistics
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        columns = TextColumn(f"{{task.description:<{_FIRST_COLUMN}}}"), BarColumn(None), MofNCompleteColumn()
        self._bars = Progress(*columns, expand=True)
        self._run_bar = self._bars.add_task("run", total=config.total_episodes)
        self._part_bars: tuple[TaskID, ...] = ()
        if config.policy == "per-workflow" and config.workflow is None and config.finals_episodes:
            self._part_bars = self._bars.add_task(" search"), self._bars.add_task(" finals")
        self._visits: dict[str, int] = {}
        """Episodes of each that is in training, by its order, in the order in which they began."""
        self._compiling: Compiling | None = None
        self._latest: UpdateResult | None = None
        self._returns = Curve()
        self._best: WorkflowFinished | None = None
        self._in_update = 0
        self._done = 0
        self._speed: list[tuple[float, int]] = []
        self._refreshed_s = 0.0

    def __enter__(self) -> Self:
        """Take the terminal's last lines."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give them back."""
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case Compiling():
                self._compiling = event
            case WorkflowStarted():
                self._visits[event.workflow_order] = 0
            case EpisodesCollected():
                self._in_update = event.num_filled
            case UpdateResult():
                self._compiling = None  # or it could not have been computed
                self._latest = event
                self._returns.add(event.env_reward.mean)
                self._in_update = 0
                so_far = self._visits.get(event.workflow_order, 0)  # when resumed, no visit was started
                self._visits[event.workflow_order] = so_far + event.num_episodes
            case WorkflowFinished():
                self._note_finished(event)
            case EpisodesLost():
                self._live.console.print(f"[yellow]{event.num_episodes} episodes lost: they are played again[/]")
        now_s = time.monotonic()
        if now_s - self._refreshed_s >= REFRESH_INTERVAL_S:
            self._refreshed_s = now_s
            self._refresh(now_s)

    def _note_finished(self, event: WorkflowFinished) -> None:
        result, score = event.result, event.result.score
        verdict = "[green]learned[/]" if result.reached_threshold else f"[yellow]missed ({result.reason})[/]"
        self._live.console.print(
            f"{event.iteration:>3}  {event.workflow_order}  {verdict}  env reward {score.env_reward.mean:.1f} "
            f"± {score.env_reward.stderr:.1f}{_greedy(score)}  compliance {score.compliance:.2f}  "
            f"{result.num_episodes} episodes"
        )
        self._best = event
        self._visits.pop(event.workflow_order, None)

    def _refresh(self, now_s: float) -> None:
        statistics = self._statistics()
        # while one batch is learned from, the next one fills already: the sum would fall back for a moment
        done = self._done = max(self._done, statistics.total_episodes + self._in_update)
        self._speed = [(at_s, n) for at_s, n in self._speed if now_s - at_s < RATE_WINDOW_S]
        self._speed.append((now_s, done))
        since_s, first = self._speed[0]
        rate = (done - first) / (now_s - since_s) if now_s > since_s else 0.0
        left_s = (self._config.total_episodes - done) / rate if rate > 0 else None
        speed = f"{rate:.1f} episodes/s, {_duration(left_s)} left" if left_s is not None else None
        self._bars.update(self._run_bar, completed=done)
        if self._part_bars:
            self._update_parts(statistics)
        self._live.update(Group(self._bars, self._table(statistics, speed)), refresh=True)

    def _update_parts(self, statistics: PipelineStatistics) -> None:
        """Show what each part has learned from; a search that has found nothing for the finals uses their share."""
        total, in_finals = self._config.total_episodes, statistics.finals_episodes
        in_search = statistics.total_episodes - in_finals
        for_search = max(in_search, total - self._config.finals_episodes)
        search, finals = self._part_bars
        self._bars.update(search, completed=in_search, total=for_search)
        self._bars.update(finals, completed=in_finals, total=total - for_search)

    def _table(self, statistics: PipelineStatistics, speed: str | None) -> Table:
        table = Table.grid(padding=(0, 1))
        # whole, however narrow the terminal: what stands beside it is broken, between words
        table.add_column(no_wrap=True, min_width=_FIRST_COLUMN)
        table.add_column()
        if self._compiling is not None:
            compiling = self._compiling
            table.add_row("compiling", f"once, about {compiling.expected_s:.0f} s; {compiling.seconds:.0f} s so far")
        if speed is not None:
            table.add_row("speed", speed)
        for num_before, (order, num_episodes) in enumerate(self._visits.items()):
            if num_before == MAX_VISITS:
                table.add_row("", f"and {len(self._visits) - MAX_VISITS} more")
                break
            table.add_row("" if num_before else "training", f"{order}   {num_episodes:,} episodes")
        if self._latest is not None:
            latest = self._latest
            table.add_row(
                f"update {latest.update}",
                f"env reward {latest.env_reward.mean:.1f} ± {latest.env_reward.stderr:.1f}   "
                f"bonus {latest.alignment_bonus:.1f}   total {latest.total_reward:.1f}   "
                f"compliance {latest.compliance:.2f}   fixes {latest.avg_fixes:.1f}",
            )
        if returns := str(self._returns):
            table.add_row("returns", returns)
        best = self._best
        table.add_row(
            "best",
            f"{best.best_workflow}   env reward {best.best_score.env_reward.mean:.1f}{_greedy(best.best_score)}"
            if best and best.best_score
            else "no workflow learned yet",
        )
        if statistics.promising:
            table.add_row("believed", "as trained in the search: ● reached the threshold, ○ inferred")
        for each in statistics.promising:
            mark = "●" if each.observed else "○"
            table.add_row("", f"{mark} {each.mean:.1f} ± {each.std:.1f}   {order_name(each.workflow_id)}")
        ring, num_alive = statistics.ring, statistics.workers_alive
        table.add_row(
            "workers",
            f"{num_alive} of {self._config.num_players} alive   "
            f"{ring.num_slots - ring.num_free} of {ring.num_slots} slots in use"
            if num_alive
            else "starting",
        )
        return table


def _greedy(score: Score) -> str:
    return f" (greedy {score.greedy_env_reward.mean:.1f})" if score.greedy_env_reward else ""


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"
