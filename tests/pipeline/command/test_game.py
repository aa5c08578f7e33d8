from __future__ import annotations

import argparse

import pytest

from pipeline.command import game
from pipeline.command.options import UsageError, given_options, make_config
from pipeline.config import Config
from pipeline.extras import NotInstalledError


def test_what_is_given_is_played_and_the_rest_is_the_configurations() -> None:
    parser = argparse.ArgumentParser()
    game.set_up(parser)
    given = given_options(parser.parse_args(["--profile=leaderboard", "--seed=3"]))
    config = game.game_config(given, None)
    assert config == make_config(given)
    assert (config.profile, config.seed, config.engine) == ("leaderboard", 3, Config().engine)
    assert game.game_of(config).profile == "leaderboard"


def test_a_cyborg_that_is_not_there_is_told() -> None:
    with pytest.raises(NotInstalledError, match="--cyborg upstream needs CybORG"):
        game.game_of(Config(engine="cyborg", cyborg="upstream"))


def test_several_attackers_have_no_episode_of_an_evaluation() -> None:
    parser = argparse.ArgumentParser()
    game.add_red_agent(parser)
    assert given_options(parser.parse_args([])) == {}
    for one in ([], ["--red-agent=SleepAgent"]):
        game.require_one_red_agent(given_options(parser.parse_args(one)))
    for several in ("Mixed", "B_lineAgent,SleepAgent"):
        with pytest.raises(UsageError, match=f"--red-agent {several}: an episode of an evaluation has one"):
            game.require_one_red_agent(given_options(parser.parse_args([f"--red-agent={several}"])))
