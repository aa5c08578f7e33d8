"""What to type to see an episode again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pipeline.cage2.facts.order_names import order_name
from pipeline.defenders.reference import AgentReference

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.evaluate.chosen import Chosen
    from pipeline.evaluate.trained import Trained


def command(agent: Trained | AgentReference | str, chosen: Chosen, *, greedy: bool, own: tuple[str, ...] = ()) -> str:
    """Return the command line of an episode that was played.

    Args:
        agent: Who plays.
        chosen: The episode, the first of its indices.
        greedy: Whether a policy or a model takes the likeliest action each time.
        own: What names it, if the run has played it itself; else it is one of an evaluation.
    """
    config = chosen.config
    words = [_name(agent)]
    words += own or (
        *("--seed", str(config.seed), "--episode", str(chosen.indices.start), "--steps", str(chosen.num_steps)),
        *("--red-agent", config.red_agent, "--profile", config.profile),
    )
    if config.engine != "fast":
        words += ("--engine", config.engine, "--cyborg", config.cyborg)
    if greedy:
        words.append("--greedy")
    if isinstance(agent, AgentReference):
        words += ("--observation", agent.observation)
        words += [word for key, value in agent.arguments for word in ("--agent-arg", f"{key}={value}")]
    elif not isinstance(agent, str):
        words += ("--workflow", order_name(agent.workflow_id))
    return shlex.join(["run.py", "replay", *words])


def command_of_file(path: Path, index: int) -> str:
    """Return the command line of an episode of a file of traces, by its place there."""
    return shlex.join(["run.py", "replay", str(path), "--episode", str(index)])


def _name(agent: Trained | AgentReference | str) -> str:
    if isinstance(agent, str):
        return agent
    return agent.name if isinstance(agent, AgentReference) else str(agent.run_dir)
