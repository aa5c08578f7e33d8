"""`run.py verify`: whether episodes are the same, to the bit, on the engine and on CybORG."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cage2.facts.spec import EPISODE_STEPS
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.command import agent as agents
from pipeline.command import game as games
from pipeline.command.options import MAX_EPISODES, MAX_STEPS, UsageError, given_options, make_config, number_of
from pipeline.command.process import FAILED, OK, printing_to_stderr
from pipeline.command.terminal import tell

if TYPE_CHECKING:
    from typing import Any

    from pipeline.config import Config
    from pipeline.evaluate.task import Policy
    from pipeline.evaluate.trained import Trained

OPTIONS: tuple[str, ...] = ("episodes", "steps", "workflow", "greedy", "sampled", "seed", "red_agent", "cyborg")
DESCRIPTION = """\
Play episodes twice, on this project's engine and on CybORG itself, and compare
at every step what Blue saw and did and how likely that was, what Red did,
whether it worked, each host's reward, the hosts under Red, and the decoys."""
EPILOG = """\
examples:
  python run.py verify logs/tuesday
  python run.py verify restore --red-agent RedMeanderAgent --episodes 100

They are the first episodes of `run.py evaluate` with the same --seed and
--steps, against each attacker that the run was trained against. The exit code
is 1 if anything differs. docs/fidelity.md tells of larger comparisons.
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `verify` its options."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    agents.set_up_known(parser)
    parser.add_argument("--episodes", default="10", metavar="N", help="against each attacker [10]")
    parser.add_argument("--steps", metavar="N", help=f"of an episode [the run's own, or {EPISODE_STEPS}]")
    for name, metavar, text in (
        ("red-agent", "NAME", "who attacks [those of the run, or B_lineAgent]"),
        ("cyborg", "{csle,upstream}", "which CybORG [the run's own, or csle]"),
        ("seed", "N", "of games and actions [0]"),
    ):
        parser.add_argument(f"--{name}", metavar=metavar, default=argparse.SUPPRESS, help=text)


def run(options: argparse.Namespace) -> int:
    """Play and compare.

    Returns:
        The exit code: 0 if nothing differs, else 1.

    Raises:
        SetupError: There is no such agent, an option doesn't fit, or CybORG is not there.
    """
    given = given_options(options)
    num_episodes = number_of("--episodes", options.episodes, MAX_EPISODES)
    num_steps = None if options.steps is None else number_of("--steps", options.steps, MAX_STEPS)
    workflow_id = agents.workflow_id_of(options.workflow)
    if agents.reference_of(options, make_config(given).engine) is not None:
        raise UsageError("verify is for runs and built-in agents: your own is shown the same on both engines")
    trained: Trained | None = None
    if options.agent not in agents.BUILT_IN:
        from pipeline.evaluate.trained import load_trained

        trained = load_trained(Path(options.agent), workflow_id)
    config = games.game_config(given, trained)
    if config.profile != "head":
        raise UsageError(f"CybORG plays profile head only, and {options.agent} was trained on {config.profile}")
    from pipeline.evaluate.chosen import player_of

    player: Policy | str = player_of(trained or options.agent, greedy=options.greedy)  # type: ignore[assignment]  # see above
    num_differing = sum(
        _compare(config.model_copy(update={"red_agent": red_agent}), player, num_steps, num_episodes)
        for red_agent in red_agents_of(config.red_agent)
    )
    return FAILED if num_differing else OK


def _compare(config: Config, player: Policy | str, num_steps: int | None, num_episodes: int) -> int:
    """Play episodes against an attacker on both, say what came of it, and return how many differ."""
    from pipeline.cage2.cyborg.env import require_cyborg
    from pipeline.evaluate.chosen import compared
    from pipeline.trace.difference import first_difference

    require_cyborg(config.cyborg)
    fast, cyborg = (
        compared(config.model_copy(update={"engine": engine}), num_steps, range(num_episodes))
        for engine in ("fast", "cyborg")
    )
    if fast.must_compile(player):
        tell("note: compiling first, once, about 10 s")
    num_differing = 0
    with printing_to_stderr():
        for ours, theirs in zip(fast.play(player), cyborg.play(player), strict=True):
            difference = first_difference(ours, theirs)
            if difference is not None:
                num_differing += 1
                tell(f"episode {ours.index} differs at {difference.place}: {_told(difference.one, difference.other)}")
    episodes = f"{num_episodes:,} episode{'' if num_episodes == 1 else 's'}"
    what = f"{episodes} of {fast.num_steps} steps against {config.red_agent}"
    sys.stdout.write(f"{what}, on CybORG and on the engine: {_verdict(num_differing)}\n")
    return num_differing


def _told(ours: Any, theirs: Any) -> str:
    return f"{theirs!r:.80} on CybORG, {ours!r:.80} on the engine"


def _verdict(num_differing: int) -> str:
    return f"{num_differing:,} differ" if num_differing else "the same, to the bit"
