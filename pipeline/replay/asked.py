"""Which episode is asked for, and playing it: one of an evaluation, the worst of many, or one that the run played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.defenders.reference import AgentReference
from pipeline.evaluate import evaluation
from pipeline.evaluate.chosen import Chosen, compared, of_the_run
from pipeline.evaluate.evaluation import Request
from pipeline.evaluate.scenario import Scenario
from pipeline.evaluate.task import Policy
from pipeline.evaluate.trained import Trained
from pipeline.replay.errors import ReplayError
from pipeline.replay.played import Played, play, worst_of
from pipeline.replay.training import training_index
from pipeline.seeding import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config import Config

WORST_OF: Final = 1000
"""Episodes of which the worst is shown, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An episode, by whatever names it."""

    episode: int = 0
    """Its index among those of an evaluation."""
    worst_of: int | None = None
    """Of so many episodes of an evaluation the one with the lowest return."""
    visit: int | None = None
    """Its evaluation is the one that a visit of the run's ended with: an Iteration in gp_sampling_log.csv."""
    update: int | None = None
    """It is one of training: the policy's own update that learned from it, from 0."""
    row: int = 0
    """In that update's batch, from 0."""
    num_steps: int | None = None
    """Of an episode of an evaluation; None: as the game has it."""
    greedy: bool = False

    @property
    def is_the_runs_own(self) -> bool:
        """Whether the run has played it itself."""
        return self.visit is not None or self.update is not None


def play_asked(
    asked: Asked,
    agent: Trained | AgentReference | str,
    config: Config,
    note_progress: Callable[[int], None] = lambda _: None,
) -> Played:
    """Play the episode that is asked for.

    Args:
        asked: Which.
        agent: Who plays.
        config: Of the game; of the run, with its seed, if that has played the episode itself.
        note_progress: See `played.worst_of`.

    Raises:
        ReplayError: There is no such episode.
        PipelineError: It can't be played.
    """
    greedy = asked.greedy
    if asked.is_the_runs_own:
        if not isinstance(agent, Trained):
            raise ReplayError("only a run has episodes of its own")
        return _play_own(asked, agent, config)
    if asked.worst_of is None:
        return play(agent, _compared(asked, config, range(asked.episode, asked.episode + 1)), greedy=greedy)
    worst = worst_of(agent, _compared(asked, config, range(asked.worst_of)), greedy=greedy, note_progress=note_progress)
    note = f"The worst of {asked.worst_of:,}"
    return play(agent, _compared(asked, config, range(worst, worst + 1)), greedy=greedy, note=note)


def _compared(asked: Asked, config: Config, indices: range) -> Chosen:
    return compared(config, asked.num_steps, indices)


def _play_own(asked: Asked, trained: Trained, config: Config) -> Played:
    order, index = trained.workflow_id, asked.episode
    if asked.update is None:
        purpose, note = Purpose.EVALUATION, f"Visit {asked.visit}"
        own = ("--visit", str(asked.visit), "--episode", str(index))
    else:
        index = training_index(trained.run_dir, order, asked.update, asked.row)
        purpose, note = Purpose.TRAINING, f"Update {asked.update} learned from it, row {asked.row} of its batch"
        own = ("--update", str(asked.update), "--row", str(asked.row))
    chosen = of_the_run(config, order, purpose, range(index, index + 1), asked.visit or 0)
    return play(trained, chosen, greedy=asked.greedy, note=note, own=own)


def must_compile(asked: Asked, agent: Trained | AgentReference | str, config: Config) -> bool:
    """Return whether machine code has to be made first, once, which takes some 10 seconds."""
    player = (
        agent if isinstance(agent, (AgentReference, str)) else Policy(agent.weights, agent.workflow_id, asked.greedy)
    )
    episodes = _compared(asked, config, range(asked.worst_of or 1))
    scenario = Scenario(episodes.config.red_agent, episodes.num_steps)
    request = Request(player, episodes.game, (scenario,), 1, episodes.config.seed)
    return episodes.must_compile(player) or (asked.worst_of is not None and evaluation.must_compile(request))
