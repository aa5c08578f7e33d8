"""Episodes that somebody has chosen to look at: of an evaluation, or such as a run has played itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.cage2.cyborg.env import require_cyborg
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.collect.methods import game_spec
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.evaluation import EPISODES_PER_AGENT
from pipeline.evaluate.headers import EVALUATION_HEADER
from pipeline.evaluate.scenario import Scenario
from pipeline.evaluate.task import Policy, Task
from pipeline.evaluate.traced import traces
from pipeline.learn.evaluation import STRIDE
from pipeline.numerics.subnormals import subnormals_flushed
from pipeline.seeding import Purpose
from pipeline.trace import recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.config import Config
    from pipeline.evaluate.trained import Trained
    from pipeline.play.game import GameSpec
    from pipeline.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which episodes are played, and in which game."""

    config: Config
    """Of the game, and with the seed that all others come from."""
    num_steps: int
    purpose: Purpose
    group: int
    indices: range

    @property
    def game(self) -> GameSpec:
        """What is played."""
        return replace(game_spec(self.config), num_steps=self.num_steps)

    def must_compile(self, player: Policy | AgentReference | str) -> bool:
        """Return whether machine code has to be made first, once, which takes some 10 seconds."""
        return recorder.must_compile(self.game, is_policy=isinstance(player, Policy))

    def play(
        self, player: Policy | AgentReference | str, note_form: Callable[[str], None] = lambda _: None
    ) -> Iterator[Trace]:
        """Yield the episodes, each when it has been played.

        Args:
            player: Who plays. An agent that others wrote plays in this process.
            note_form: Called with the form of such an agent, when it has been made.

        Raises:
            NotInstalledError: CybORG is asked for and not there.
            EpisodeFailedError, DefenderFailedError: One can't be played.
        """
        game = self.game
        if game.engine == "cyborg":
            require_cyborg(game.cyborg)
        header = EVALUATION_HEADER.views(memoryview(bytearray(EVALUATION_HEADER.size_bytes)))
        first = self.indices.start
        if isinstance(player, AgentReference):  # which may remember the episodes before, from where it is made anew
            first -= first % EPISODES_PER_AGENT
        for begin in range(first, self.indices.stop, EPISODES_PER_AGENT):
            num_episodes = min(EPISODES_PER_AGENT, self.indices.stop - begin)
            task = Task(player, game, self.config.seed, self.group, begin, num_episodes)
            played = traces(task, header, self.purpose, note_form)
            for _ in range(num_episodes):
                with subnormals_flushed():
                    trace = next(played)
                if trace.index in self.indices:
                    yield trace


def compared(config: Config, num_steps: int | None, indices: range) -> Chosen:
    """Return episodes as `run.py evaluate` plays them.

    Args:
        config: Of the game.
        num_steps: Of an episode; None: as the configuration has it.
        indices: Which.
    """
    if len(red_agents_of(config.red_agent)) > 1:
        config = config.model_copy(update={"red_agent": red_agents_of(config.red_agent)[0]})  # a scenario has one
    num_steps = num_steps or config.episode_steps
    return Chosen(config, num_steps, Purpose.COMPARISON, Scenario(config.red_agent, num_steps).group, indices)


def of_the_run(config: Config, workflow_id: int, purpose: Purpose, indices: range, visit: int) -> Chosen:
    """Return episodes that a run has played itself.

    Args:
        config: The run's, but for the engine.
        workflow_id: The order that they belong to, 0 to 119.
        purpose: Training or evaluation.
        indices: Which: in training by order from 0, in an evaluation from its first.
        visit: The evaluation's, 0 in training.
    """
    indices = range(indices.start + visit * STRIDE, indices.stop + visit * STRIDE)
    return Chosen(config, config.episode_steps, purpose, workflow_id, indices)


def player_of(agent: Trained | AgentReference | str, *, greedy: bool) -> Policy | AgentReference | str:
    """Return who plays, as workers are sent it."""
    return agent if isinstance(agent, (AgentReference, str)) else Policy(agent.weights, agent.workflow_id, greedy)
