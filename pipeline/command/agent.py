"""What AGENT names on the line of `run.py evaluate` and `trace`: a run, a built-in, or an agent that others wrote."""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from pipeline.cage2.facts.order_names import UnknownOrderError, parse_order
from pipeline.command.options import UsageError
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.defenders.reference import AgentReference, Observation, target_of
from pipeline.play.baselines import BASELINES
from pipeline.printable import shown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


BUILT_IN: Final = (*BASELINES, *CONTEST_BASELINES)
"""Agents that learn nothing, by name: this project's and the contest's."""
OBSERVATIONS: Final = get_args(Observation)
STEP_TIMEOUT_S: Final = 60.0
_FOR_POLICIES: Final = ("workflow", "greedy", "sampled")
_FOR_OTHERS: Final = ("observation", "agent_arg", "step_timeout")


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give a parser the agent, how it chooses, and the options of those that others wrote."""
    _add_agent(
        parser,
        "; module:NAME or FILE.py:NAME, a class or function that makes an agent; a model that Stable-Baselines3 has "
        "saved, FILE.zip; an exported agent's folder. The last three are code, which is run",
    )
    others = parser.add_argument_group("agents of your own (docs/referee.md)")
    others.add_argument(
        "--observation",
        metavar=f"{{{','.join(OBSERVATIONS)}}}",
        help="what it is shown: the 52 values of CybORG's own wrapper; the same without its fault; with what Blue may "
        "remember, 130; the table as text; CybORG's own dictionary (--engine cyborg) [stock]",
    )
    others.add_argument(
        "--agent-arg",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what its class or function is called with, as text; may be repeated",
    )
    others.add_argument(
        "--step-timeout",
        metavar="SECONDS",
        help=f"how long it may take for a step before it counts as hung [{STEP_TIMEOUT_S:g}]",
    )


def set_up_known(parser: argparse.ArgumentParser) -> None:
    """Give a parser the agent, if that is one of this project's, and how it chooses."""
    _add_agent(parser, "")
    parser.set_defaults(observation=None, agent_arg=[], step_timeout=None)


def _add_agent(parser: argparse.ArgumentParser, more: str) -> None:
    parser.add_argument(
        "agent",
        metavar="AGENT",
        help="a run's folder, e.g. logs/tuesday, or its checkpoint; one of the agents that learn nothing, "
        f"{', '.join(BUILT_IN)} (a folder of such a name: ./random){more}",
    )
    add_workflow(parser)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--sampled", action="store_true", help="a policy draws its actions, as it does in training (the default)"
    )
    choice.add_argument("--greedy", action="store_true", help="a policy takes its likeliest action each time")


def add_workflow(parser: argparse.ArgumentParser) -> None:
    """Give a parser the option that says which of a run's policies is meant."""
    parser.add_argument(
        "--workflow", metavar="ORDER", help="whose policy to take, 'user -> defender -> ...'; by default the run's best"
    )


def reference_of(options: argparse.Namespace, engine: str) -> AgentReference | None:
    """Return the agent that the options ask for if others wrote it; None for a run or a built-in.

    Args:
        options: Those of `set_up`, `greedy`, `sampled` and `workflow`.
        engine: That is played on.

    Raises:
        UsageError: There is no such agent, or an option is for others.
        NoSuchAgentError: There is no such file.
    """
    name = options.agent
    if name in BUILT_IN:
        _refuse(options, (*_FOR_POLICIES, *_FOR_OTHERS), f"leave it out, {name} has no use for it")
        return None
    target = None if _is_of_run(Path(name)) else target_of(name)
    if target is None:
        if not _exists(Path(name)):
            near = difflib.get_close_matches(name, BUILT_IN, n=1)
            advice = f"did you mean {near[0]}?" if near else f"give one like logs/tuesday, or {', '.join(BUILT_IN)}"
            raise UsageError(f"there is no run {name!r:.60}: {advice}, or FILE.py:NAME (run.py evaluate --help)")
        _refuse(options, _FOR_OTHERS, "leave it out, a run's policy sees what it was trained with")
        return None
    _refuse(options, ("workflow",), f"leave it out, {shown(name)} follows none")
    return AgentReference(
        name=name,
        target=target,
        arguments=_arguments(options.agent_arg),
        observation=_observation(options.observation, engine),
        greedy=options.greedy,
        step_timeout_s=_seconds(options.step_timeout),
    )


def workflow_id_of(text: str | None) -> int | None:
    """Return the order that `--workflow` names, if it is given.

    Raises:
        UsageError: There is no such order.
    """
    try:
        return None if text is None else parse_order(text)
    except UnknownOrderError as error:
        raise UsageError(f"--workflow {error}") from None


def _refuse(options: argparse.Namespace, names: Sequence[str], advice: str) -> None:
    for name in names:
        if getattr(options, name) not in (None, False, []):
            whom = "policies" if name in _FOR_POLICIES else "agents of your own"
            raise UsageError(f"--{name.replace('_', '-')} is for {whom}: {advice}")


def _observation(name: str | None, engine: str) -> Observation:
    for observation in OBSERVATIONS:
        if observation == (name or "stock"):
            if observation == "raw" and engine != "cyborg":
                raise UsageError("--observation raw is what CybORG itself gives: add --engine cyborg")
            return observation  # type: ignore[no-any-return]  # a literal's
    raise UsageError(f"--observation {name!r:.60}: choose of {', '.join(OBSERVATIONS)}")


def _arguments(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    arguments = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (equals and key.isidentifier()):
            raise UsageError(f"--agent-arg {text!r:.60}: must be KEY=VALUE, KEY the name of an argument")
        if key in arguments:
            raise UsageError(f"--agent-arg {key}: give each once")
        arguments[key] = value
    return tuple(arguments.items())


def _seconds(text: str | None) -> float:
    try:
        seconds = STEP_TIMEOUT_S if text is None else float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"--step-timeout {text!r:.60}: must be a number of seconds above 0")
    return seconds


def _is_of_run(path: Path) -> bool:
    return _exists(path / "config.json") or _exists(path / "manifest.json")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long a name, say
        return False
