"""An evaluation: scenarios cut into tasks, played in this process or by workers, and added up.

    scenarios -> tasks -> play (here, or in a pool of processes, see `pooled`) -> episodes in order -> results

An episode depends on its scenario, its index and the evaluation's seed alone, and results are put together by index:
the number of processes changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.cage2.cyborg.env import load_cyborg
from pipeline.cage2.engine import game_batch
from pipeline.cage2.engine.game import step_games
from pipeline.cage2.facts.spec import ACTION_NAMES
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.play import play
from pipeline.evaluate.results import ScenarioResult, summarize
from pipeline.evaluate.task import Policy, Task
from pipeline.numerics.compiled import must_be_compiled
from pipeline.numerics.subnormals import subnormals_flushed
from pipeline.play import rollout
from pipeline.policy.forward import sample_action
from pipeline.trace import recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.evaluate.scenario import Scenario
    from pipeline.play.game import GameSpec

STEPS_PER_TASK = {"fast": 25_000, "cyborg": 2_500}
"""A tenth to half a second of work: it hides the way to a worker and back, and little is played again when one dies."""
EPISODES_PER_AGENT = 20
"""A task's, of an agent that others wrote: it is made anew for each task, which takes a model of SB3's 12 to 70 ms."""
STEPS_WORTH_WORKERS = {"fast": 5_000_000, "cyborg": 5_000}
"""Below, one process is done before others would have started."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be played, complete: results are a function of it."""

    agent: Policy | AgentReference | str
    """A policy, an agent that others wrote, or the name of a baseline (`baselines.BASELINES`)."""
    game: GameSpec
    """Red agent and number of steps are the scenarios'."""
    scenarios: tuple[Scenario, ...]
    num_episodes: int
    """Of each scenario."""
    seed: int
    """`>= 0`. The same seed gives every agent the same games."""
    is_traced: bool = False
    """Whether all episodes are to be written down (`pipeline.trace`). They are the same."""

    @property
    def num_steps(self) -> int:
        """Of all episodes together."""
        return self.num_episodes * sum(scenario.num_steps for scenario in self.scenarios)

    @property
    def action_names(self) -> tuple[str, ...]:
        """Of what the agent chooses from, in order."""
        return self.game.interface.action_names if isinstance(self.agent, Policy) else ACTION_NAMES

    def tasks(self, scenario: Scenario) -> Iterator[Task]:
        """Yield a scenario's tasks, by ascending index."""
        game = replace(self.game, red_agent=scenario.red_agent, num_steps=scenario.num_steps)
        size = self._task_size(scenario)
        for first in range(0, self.num_episodes, size):
            num_episodes = min(size, self.num_episodes - first)
            yield Task(self.agent, game, self.seed, scenario.group, first, num_episodes, self.is_traced)

    def num_tasks(self, scenario: Scenario) -> int:
        """Return how many tasks a scenario has."""
        return math.ceil(self.num_episodes / self._task_size(scenario))

    def _task_size(self, scenario: Scenario) -> int:
        if isinstance(self.agent, AgentReference):
            return EPISODES_PER_AGENT
        return max(1, STEPS_PER_TASK[self.pace] // scenario.num_steps)

    @property
    def pace(self) -> str:
        """The engine that plays as fast as this goes: writing down takes about as long as CybORG's step."""
        return "cyborg" if self.is_traced else self.game.engine


def useful_workers(request: Request, num_cores: int) -> int:
    """Return how many processes to play a request with, where nobody says."""
    if isinstance(request.agent, AgentReference):  # which is never played in this process, and may be slow
        return num_cores
    return num_cores if request.num_steps > STEPS_WORTH_WORKERS[request.pace] else 1


def must_compile(request: Request) -> bool:
    """Return whether machine code has to be made for a request, once, which takes some 10 seconds."""
    if request.is_traced:
        return recorder.must_compile(request.game, is_policy=isinstance(request.agent, Policy))
    if request.game.engine == "fast":
        return must_be_compiled(rollout.play if isinstance(request.agent, Policy) else step_games)
    return isinstance(request.agent, Policy) and must_be_compiled(sample_action)


def prepare(request: Request) -> None:
    """Import and compile what takes long and a request needs, and nothing else."""
    if request.is_traced:
        recorder.prepare(request.game, is_policy=isinstance(request.agent, Policy))
    elif isinstance(request.agent, Policy):
        request.game.prepare()
    elif request.game.engine == "fast":
        game_batch.warm_up()
    else:
        load_cyborg(request.game.cyborg)


def evaluate(
    request: Request,
    note_progress: Callable[[int], None] = lambda _: None,
    write_traces: Callable[[str], None] = lambda _: None,
) -> tuple[ScenarioResult, ...]:
    """Play a request in this process. `pooled.evaluate_in_pool` does it with others.

    An agent that others wrote is better played there: here it may do to this process what it likes, whose generators
    (`random`, NumPy's and torch's) are seeded for it.

    Args:
        request: What.
        note_progress: Called now and then with the number of episodes that were played since it was called last.
        write_traces: Called with the lines of the traces, if they are wanted, in the order of the episodes.

    Returns:
        A result for each scenario, in order.

    Raises:
        EpisodeFailedError: An episode raised.
        DefenderFailedError: An agent that others wrote raised, or returned no action.
        NoSuchAgentError, UnusableAgentError, AgentRaisedError: It could not be made.
    """
    prepare(request)
    results = []
    for scenario in request.scenarios:
        parts = []
        for task in request.tasks(scenario):
            with subnormals_flushed():
                episodes = play(task)
            write_traces(episodes.traces)
            parts.append(replace(episodes, traces=""))
            note_progress(task.num_episodes)
        results.append(summarize(scenario, request.action_names, parts))
    return tuple(results)
