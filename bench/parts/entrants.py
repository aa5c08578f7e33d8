"""Who stands in the table of defenders, and the commands that train and evaluate each."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, get_args

from pipeline.cage2.facts.names import Profile
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.play.baselines import BASELINES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RUNS: Final = "RUNS"
"""Stands for the folder of what is trained, in commands as they are told."""
PROFILES: Final[tuple[Profile, ...]] = get_args(Profile)
CONTEST_SEED: Final = 153
"""With which the contest's organisers evaluated."""

TOTAL_EPISODES: Final = 100_000
"""Of each run."""
RECIPE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "workflow": "enterprise -> op_server -> op_host -> user -> defender",
        "red_agent": "Mixed",
        "recipe": "thorough",
        "episodes_per_update": 64,
        "alignment_lambda": 0.0,
    }
)
"""How all defenders are trained, by options of a run: the README's best command without its budget."""
FORMS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "plain": {"observation_memory": False, "actions": "all"},
        "merged": {"observation_memory": False, "actions": "merged"},
        "memory": {"observation_memory": True, "actions": "all"},
        "best": {"observation_memory": True, "actions": "merged"},
    }
)
"""What a defender sees and may do, by row."""
SB3: Final = "sb3"
ROWS: Final = (*BASELINES, *CONTEST_BASELINES, SB3, *FORMS)


@dataclass(frozen=True)
class Entrant:
    """One defender: a built-in, or one that is trained, with a seed."""

    row: str
    agent: str
    """As `run.py evaluate` takes it."""
    evaluation: tuple[str, ...] = ()
    """Options of that."""
    training: tuple[str, ...] = ()
    """A script of this project with its arguments; empty for a built-in."""
    options: Mapping[str, Any] | None = None
    """Of the run that `training` is, if it is one."""
    trained_on: Profile | None = None
    seed: int | None = None

    @property
    def name(self) -> str:
        """Who this is, in words."""
        on = f" trained on {self.trained_on}" if self.trained_on else ""
        return self.row + on + ("" if self.seed is None else f", seed {self.seed}")

    def evaluating(self, profile: Profile, num_episodes: int) -> tuple[str, ...]:
        """Return the command that evaluates it on a game, as `training` has one."""
        played = ("--profile", profile, "--episodes", str(num_episodes), "--json")
        return ("run.py", "evaluate", self.agent, *self.evaluation, *played)

    def folder(self, runs: Path) -> Path:
        """Return where that lies which is trained: a run's folder, or a model's file."""
        return Path(in_folder(self.agent, runs))


def entrants(rows: Sequence[str], num_seeds: int, total_episodes: int, total_timesteps: int) -> Iterator[Entrant]:
    """Yield who stands in the table.

    Args:
        rows: Of `ROWS`.
        num_seeds: Of each defender that is trained on profile `leaderboard`; on `head` there is one.
        total_episodes: Of each run.
        total_timesteps: Of the training by Stable-Baselines3.
    """
    for row in rows:
        if row in BASELINES:
            yield Entrant(row, row)
        elif row in CONTEST_BASELINES:
            yield Entrant(row, row, ("--protocol", "contest", "--seed", str(CONTEST_SEED)))
        elif row == SB3:
            model = f"{RUNS}/sb3-{total_timesteps}.zip"
            training = ("examples/sb3_ppo.py", "--save", model, "--total-timesteps", str(total_timesteps))
            yield Entrant(row, model, ("--greedy",), training, trained_on="head", seed=0)
        else:
            for profile, seeds in (("leaderboard", num_seeds), ("head", 1)):
                for seed in range(seeds):
                    yield _defender(row, profile, seed, total_episodes)


def best(profile: Profile, num_seeds: int, total_episodes: int) -> Iterator[Entrant]:
    """Yield what the README's command trains for a game, by seeds 0, 1, ..."""
    yield from (_defender("best", profile, seed, total_episodes) for seed in range(num_seeds))


def _defender(row: str, profile: Profile, seed: int, total_episodes: int) -> Entrant:
    run_name = f"{row}-{profile}-{seed}"
    options = {**RECIPE, **FORMS[row], "total_episodes": total_episodes, "profile": profile, "seed": seed}
    training = ("run.py", "--log-dir", RUNS, "--run-name", run_name, *_arguments(options), "--quiet")
    return Entrant(row, f"{RUNS}/{run_name}", ("--greedy",), training, options, profile, seed)


def _arguments(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        else:
            yield from (f"--{flag}", f"{value:g}" if isinstance(value, float) else str(value))


def told(command: Sequence[str]) -> str:
    """Return a command as one types it."""
    return shlex.join(("python", *command))


def in_folder(word: str, runs: Path) -> str:
    """Return a word of a command with the folder in it that `RUNS` stands for."""
    first, *rest = word.split("/")
    return str(runs.joinpath(*rest)) if first == RUNS else word
