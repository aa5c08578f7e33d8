"""The game that `run.py evaluate` and `trace` play: its options, and what they come to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.cage2.mixed_env import MIXED
from pipeline.command.options import UsageError, make_config
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.evaluate.trained import Trained
    from pipeline.play.game import GameSpec


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of the game, which are a run's too, and checked as such."""
    for name, metavar, text in (
        ("engine", "{fast,cyborg}", "what plays the game: the numbers are the same, to the bit [fast]"),
        ("profile", "{head,leaderboard}", "which state of the game [the run's own, or head]"),
        ("cyborg", "{csle,upstream}", "which CybORG [the run's own, or csle]"),
        ("seed", "N", "of games and actions: the same for every agent, and apart from those of training [0]"),
    ):
        parser.add_argument(f"--{name}", metavar=metavar, default=argparse.SUPPRESS, help=text)


def add_red_agent(parser: argparse.ArgumentParser) -> None:
    """Give a parser the option of who attacks, where episodes are looked at one by one."""
    parser.add_argument(
        "--red-agent",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help=f"who attacks [the run's own, or {RED_AGENTS[0]}]",
    )


def require_one_red_agent(given: dict[str, Any]) -> None:
    """Check that whoever attacks is one.

    Raises:
        UsageError: They are several, of whom each episode of a training has another.
    """
    red_agent = str(given.get("red_agent", ""))
    if red_agent == MIXED or "," in red_agent:
        raise UsageError(
            f"--red-agent {red_agent}: an episode of an evaluation has one: choose of {', '.join(RED_AGENTS)}"
        )


def game_config(given: dict[str, Any], trained: Trained | None) -> Config:
    """Return what is played: the run's game, with its interface and its rule of compliance, as far as not told."""
    if trained is None:
        return make_config(given)
    # who attacked in training needn't be there any more
    return make_config({**what_results_depend_on(trained.config), "red_sha256": {}, "seed": 0, **given})


def game_of(config: Config) -> GameSpec:
    """Return the game that a configuration asks for.

    Raises:
        NotInstalledError: It is played on a CybORG that is not there.
    """
    from pipeline.cage2.cyborg.env import require_cyborg
    from pipeline.collect.methods import game_spec

    if config.engine == "cyborg":
        require_cyborg(config.cyborg)
    return game_spec(config)
