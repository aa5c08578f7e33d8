from __future__ import annotations

import shlex
from typing import Any

import pytest

from pipeline.command.cli import COMMANDS
from pipeline.command.options import Parser, given_options, make_config
from pipeline.config import Config
from pipeline.report.repeat import command
from pipeline.values import what_results_depend_on


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"seed": 5, "red_agent": "RedMeanderAgent", "total_episodes": 6400},
        {"recipe": "prototype"},
        {"recipe": "thorough", "ppo": {"learning_rate": 3e-4, "num_epochs": 3}, "hidden_sizes": (32, 96)},
        {"workflow": "user -> defender -> enterprise -> op_host -> op_server", "warm_start": True},
        {"observation_memory": False, "actions": "all", "engine": "cyborg", "workers": 3},
    ],
    ids=str,
)
def test_the_command_trains_the_same(values: dict[str, Any]) -> None:
    config = Config.model_validate(values)
    program, script, *arguments = shlex.split(command(config))
    assert (program, script) == ("python", "run.py")
    parser = Parser()
    COMMANDS["train"].set_up(parser)
    again = make_config(given_options(parser.parse_args(arguments)))
    assert what_results_depend_on(again) == what_results_depend_on(config)
