from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.command import train
from pipeline.command.options import Parser, given_options, make_config
from pipeline.config import Config
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Sequence

README = Path(__file__).parents[3] / "README.md"


def config_of(arguments: Sequence[str]) -> Config:
    parser = Parser()
    train.set_up(parser)
    return make_config(given_options(parser.parse_args(arguments)))


def test_a_command_asks_for_what_the_options_say() -> None:
    """A run is known again by these: `leaderboard.is_trained`."""
    from parts.entrants import FORMS, entrants

    trained = list(entrants(list(FORMS), 2, 640, 1))
    assert len(trained) == 4 * (2 + 1)
    for entrant in trained:
        script, *arguments = entrant.training
        assert script == "run.py"
        assert entrant.options is not None
        assert what_results_depend_on(config_of(arguments)) == what_results_depend_on(Config(**entrant.options))


def test_best_is_trained_as_the_readme_says() -> None:
    from parts.entrants import entrants

    (command,) = re.findall(r"run\.py (--run-name best (?:.*\\\n)*.*)\n", README.read_text())
    *_, on_head = entrants(["best"], 1, 100_000, 1)
    assert on_head.trained_on == "head"
    assert on_head.options is not None
    readme = config_of(shlex.split(command.replace("\\\n", " ")))
    assert what_results_depend_on(readme) == what_results_depend_on(Config(**on_head.options))


def test_everybody_is_named_once_and_plays_both_games() -> None:
    from parts.entrants import PROFILES, ROWS, entrants, told

    everybody = list(entrants(ROWS, 3, 640, 800))
    assert len({entrant.name for entrant in everybody}) == len(everybody) == 3 + 4 + 1 + 4 * (3 + 1)
    commands = {entrant.row: told(entrant.evaluating("head", 7)) for entrant in everybody}
    assert [commands[row] for row in ("restore", "Sleep", "sb3")] == [
        "python run.py evaluate restore --profile head --episodes 7 --json",
        "python run.py evaluate Sleep --protocol contest --seed 153 --profile head --episodes 7 --json",
        "python run.py evaluate RUNS/sb3-800.zip --greedy --profile head --episodes 7 --json",
    ]
    assert PROFILES == ("head", "leaderboard")


def test_the_folder_of_runs_is_put_in() -> None:
    from parts.entrants import in_folder

    words = ("RUNS", "RUNS/best-head-0", "RUNS-1", "user -> defender", "3e-4")
    assert [in_folder(word, Path("a/b")) for word in words] == ["a/b", "a/b/best-head-0", *words[2:]]
