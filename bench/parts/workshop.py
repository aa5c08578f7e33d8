"""Defenders are trained and played here, by the project's own commands; what came of it is kept in a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parts.entrants import in_folder, told
from pipeline.command.options import UsageError
from pipeline.config import Config
from pipeline.persist.files import read_json, write_json
from pipeline.persist.runs import read_config
from pipeline.run.summary import SUMMARY
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parts.entrants import Entrant
    from pipeline.cage2.facts.names import Profile

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = "results.json"
"""In the folder of what is trained: what was played, by the commands that made it."""
STOP_LIMIT_S: Final = 60.0
"""For a run to write its checkpoint after Ctrl-C."""


class CommandFailedError(RuntimeError):
    """A command of the project's own failed."""


def run_command(words: Sequence[str], runs: Path) -> str:
    """Run one of the project's scripts, and return what it prints.

    Args:
        words: The script and its arguments.
        runs: What `RUNS` in them stands for.

    Raises:
        CommandFailedError: It failed; the message has what it said.
    """
    script, *arguments = words
    command = [sys.executable, str(ROOT / script), *(in_folder(word, runs) for word in arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            output, said = process.communicate()
        except KeyboardInterrupt:
            process.communicate(timeout=STOP_LIMIT_S)  # it got the Ctrl-C too
            raise
    if process.returncode:
        raise CommandFailedError(f"{told(words)} failed:\n{said.strip()}")
    return output


def is_trained(entrant: Entrant, runs: Path) -> bool:
    """Return whether an entrant needs no training any more.

    Raises:
        UsageError: Another run lies in its place.
    """
    path = entrant.folder(runs)
    if entrant.options is None:
        return not entrant.training or path.exists()
    if not path.exists():
        return False
    wanted, found = (what_results_depend_on(config) for config in (Config(**entrant.options), read_config(path)))
    if others := [name for name in wanted if wanted[name] != found[name]]:
        raise UsageError(f"{path} is another run, with other {', '.join(others)}: give another folder as --runs")
    return (path / SUMMARY).exists() and read_json(path / SUMMARY)["reason"] != "stopped"


def train(entrant: Entrant, runs: Path) -> None:
    """Train an entrant, or go on with its training.

    Raises:
        CommandFailedError: It failed.
    """
    path = entrant.folder(runs)
    if entrant.options is not None and path.exists():
        run_command(("run.py", "resume", entrant.agent, "--quiet"), runs)
    else:
        runs.mkdir(parents=True, exist_ok=True)
        run_command(entrant.training, runs)


def evaluate(entrant: Entrant, profile: Profile, runs: Path, num_episodes: int) -> dict[str, Any]:
    """Play an entrant on a game; return the result as the JSON has it, that of an earlier time if there is one.

    Raises:
        CommandFailedError: It failed.
    """
    command = entrant.evaluating(profile, num_episodes)
    made_by = {"train": told(entrant.training) if entrant.training else None, "evaluate": told(command)}
    path = runs / RESULTS
    kept: list[dict[str, Any]] = read_json(path)["results"] if path.exists() else []
    for result in kept:
        if made_by.items() <= result.items():
            return result
    report = json.loads(run_command(command, runs))
    result = {
        "row": entrant.row,
        "trained_on": entrant.trained_on,
        "seed": entrant.seed,
        **made_by,
        "commit": _commit(),
        "game": report["game"],
        "scenarios": [
            {name: scenario[name] for name in ("steps", "red_agent", "mean", "std", "stderr")}
            for scenario in report["scenarios"]
        ],
        "total_score": report["total_score"],
    }
    runs.mkdir(parents=True, exist_ok=True)
    write_json(path, {"results": [*kept, result]})
    return result


def _commit() -> str | None:
    """Return the commit that is played, with `-dirty` if files differ from it; None outside of a repository."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
