"""An episode that was played, or read, to be shown: with all that is known of who played it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.blue.interface import Interface
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.chosen import player_of
from pipeline.evaluate.evaluation import Request
from pipeline.evaluate.play import play as play_task
from pipeline.evaluate.record import describe, trace_header
from pipeline.evaluate.scenario import Scenario
from pipeline.numerics.subnormals import subnormals_flushed
from pipeline.policy.critic import Critic
from pipeline.ppo.recipe import recipe_of
from pipeline.printable import printable
from pipeline.replay.again import command, command_of_file
from pipeline.replay.episode import Insight, Replay, replay_of
from pipeline.replay.errors import ReplayError
from pipeline.replay.fork import NUM_FUTURES, Fork, fork, why_not
from pipeline.seeding import Purpose
from pipeline.trace.reader import Traces
from pipeline.trace.seen import as_bits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    from pipeline.evaluate.chosen import Chosen
    from pipeline.evaluate.trained import Trained
    from pipeline.play import play_out
    from pipeline.play.game import GameSpec
    from pipeline.trace.trace import Header, Seen, Trace

NO_AGENT = "a file of traces has steps alone, not the agent that could play on: replay the run or the agent itself"


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """An episode, and who plays it on."""

    header: Header
    trace: Trace
    which: str
    """Which episode it is, and with which weights it was played, in words."""
    again: str
    """What to type to see it again."""
    insight: Insight
    game: GameSpec | None = None
    agent: play_out.Policy | str | None = None
    """Who plays it on; None if nobody can."""

    def replay(self, *forks: Fork) -> Replay:
        """Return it as it is drawn.

        Args:
            *forks: What was tried already.

        Raises:
            ReplayError: It can't be.
        """
        replay = replay_of(self.header, self.trace, self.insight, which=self.which, again=self.again)
        return replace(replay, forks=forks)

    def fork(self, moment: int, choice: str | None = None, num_futures: int = NUM_FUTURES) -> Fork:
        """Return what would have come of another choice; see `fork.fork`.

        Args:
            moment: Steps played before it.
            choice: None: the likeliest of those that were not taken.
            num_futures: Of each choice.

        Raises:
            ReplayError: Nobody can play on from there, or there is no such moment or choice.
        """
        if self.agent is None or self.game is None:
            raise ReplayError(f"no other choice can be tried: {self.insight.no_fork}")
        if choice is None:
            choice = self._next_likeliest(moment)
        with subnormals_flushed():
            return fork(self.trace, self.game, self.agent, moment, choice, num_futures)

    def _next_likeliest(self, moment: int) -> str:
        steps = self.trace.steps
        blue = steps[moment].blue if 0 <= moment < len(steps) else None
        others = [choice for choice in blue.likeliest if choice != blue.choice] if blue else []
        if not others:
            raise ReplayError(f"step {moment + 1} has no other choice that is likely: name one")
        return others[0]


def play(
    agent: Trained | AgentReference | str,
    chosen: Chosen,
    *,
    greedy: bool = False,
    note: str = "",
    own: tuple[str, ...] = (),
) -> Played:
    """Play an episode.

    Args:
        agent: Who plays: a run's policy, an agent that others wrote, or a built-in.
        chosen: Which episode, the first of its indices.
        greedy: Whether a policy or a model takes the likeliest action each time.
        note: What else is to be told of the episode.
        own: See `again.command`.

    Raises:
        PipelineError: It can't be played.
    """
    index = chosen.indices.start
    player = player_of(agent, greedy=greedy)
    forms: list[str] = []
    trace = next(replace(chosen, indices=range(index, index + 1)).play(player, forms.append))
    description = describe(agent, greedy=greedy, form=next(iter(forms), None))
    header = trace_header(description, chosen.config, chosen.purpose)
    no_fork = why_not(chosen.game, trace.red_agent, agent)
    which = ". ".join(filter(None, (_which(header, trace), note, _weights(agent, chosen.purpose))))
    insight, on = _insight(agent, no_fork), _to_play_on(agent, greedy=greedy, num_steps=len(trace.steps))
    again = command(agent, chosen, greedy=greedy, own=own)
    return Played(header, trace, which, again, insight, chosen.game, None if no_fork else on)


def read(path: Path, index: int = 0) -> Played:
    """Return an episode of a file of traces.

    Args:
        path: The file.
        index: Its place in the file, from 0.

    Raises:
        TraceFileError: The file can't be read, or is damaged.
        ReplayError: It has fewer episodes.
    """
    traces = Traces(path)
    trace = next(itertools.islice(traces, index, None), None)
    if trace is None:
        raise ReplayError(f"{path} has no episode {index}: they count from 0")
    return _of_file(path, traces.header, trace, index)


def read_worst(path: Path, num_episodes: int) -> Played:
    """Return the episode of the lowest return among the first of a file of traces, of equal ones the first.

    Raises:
        TraceFileError: The file can't be read, or is damaged.
        ReplayError: It has none.
    """
    traces, worst = Traces(path), None
    for index, trace in enumerate(itertools.islice(traces, num_episodes)):
        if worst is None or trace.total_reward < worst[1].total_reward:
            worst = index, trace
    if worst is None:
        raise ReplayError(f"{path} has no episode")
    return _of_file(path, traces.header, worst[1], worst[0])


def worst_of(
    agent: Trained | AgentReference | str,
    chosen: Chosen,
    *,
    greedy: bool = False,
    note_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Return the index of the episode with the lowest return, of equal ones the first.

    A policy plays them by the compiled rollout: a thousand episodes in about a second.

    Args:
        agent: As for `play`.
        chosen: Of an evaluation, from index 0 on.
        greedy: As for `play`.
        note_progress: Called now and then with the number of episodes played since.

    Raises:
        PipelineError: One can't be played.
        ReplayError: The episodes are none of an evaluation's.
    """
    if chosen.purpose is not Purpose.COMPARISON or chosen.indices.start:
        raise ReplayError("the worst is looked for among the episodes of an evaluation")
    return int(returns_of(agent, chosen, greedy=greedy, note_progress=note_progress).argmin())


def returns_of(
    agent: Trained | AgentReference | str,
    chosen: Chosen,
    *,
    greedy: bool = False,
    note_progress: Callable[[int], None] = lambda _: None,
) -> npt.NDArray[np.int64]:
    """Return the returns of an evaluation's first episodes, `[n]` in tenths of a point; see `worst_of`."""
    player = player_of(agent, greedy=greedy)
    scenario = Scenario(chosen.config.red_agent, chosen.num_steps)
    request = Request(player, chosen.game, (scenario,), len(chosen.indices), chosen.config.seed)
    returns = []
    for task in request.tasks(scenario):
        with subnormals_flushed():
            returns.append(play_task(task).return_tenths)
        note_progress(task.num_episodes)
    return np.concatenate(returns)


def _of_file(path: Path, header: Header, trace: Trace, index: int) -> Played:
    which = f"Episode {index} of {printable(path.name)}: {_which(header, trace)}"
    return Played(header, trace, which, command_of_file(path, index), Insight(no_fork=NO_AGENT))


def _which(header: Header, trace: Trace) -> str:
    whose = {"comparison": "an evaluation", "evaluation": "the run's own evaluations", "training": "training"}
    return (
        f"Episode {trace.index:,} of {whose.get(header.purpose, printable(header.purpose))} "
        f"(seed {header.seed}, {len(trace.steps)} steps, {printable(trace.red_agent)})"
    )


def _weights(agent: Trained | AgentReference | str, purpose: Purpose) -> str:
    if isinstance(agent, (AgentReference, str)):
        return ""
    weights = f"Played with the checkpoint's weights, of {agent.num_updates:,} updates"
    if purpose is Purpose.TRAINING:  # an update that has been made began from fewer
        return f"{weights}: not those that it was trained with, which are not kept. Network and seeds are the same"
    if purpose is Purpose.EVALUATION:
        return f"{weights}: as then, unless the policy has been trained since"
    return weights


def _insight(agent: Trained | AgentReference | str, no_fork: str | None) -> Insight:
    if isinstance(agent, (AgentReference, str)):
        actions = Interface().action_names if no_fork is None else ()
        return Insight(actions=actions, no_fork=no_fork)
    interface, recipe = Interface.of(agent.config), recipe_of(agent.config)
    actions = interface.action_names if no_fork is None else ()
    if recipe.estimator != "gae":  # its critic's targets are standardised: they are no points
        return Insight(actions=actions, no_fork=no_fork)
    shape = agent.shape
    critic = Critic(agent.critic, shape)

    def value_of(seen: Seen) -> float:
        bits = as_bits(seen, shape.observation_size)
        return critic.value(bits, agent.workflow_id) / recipe.reward_scale

    value_is = (
        "what the critic expects from here on: rewards of training, the bonus for compliance among them, "
        f"discounted by {recipe.gamma:g} a step and with no end, in points"
    )
    return Insight(value_of, value_is, actions, no_fork)


def _to_play_on(agent: Trained | AgentReference | str, *, greedy: bool, num_steps: int) -> play_out.Policy | str | None:
    if isinstance(agent, str):
        return agent
    if isinstance(agent, AgentReference):
        return None
    return replace(agent.policy(greedy=greedy), episode_steps=num_steps)
