from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import seeding
from pipeline.evaluate.trained import load_trained
from pipeline.learn.evaluation import STRIDE
from pipeline.replay.asked import Asked, play_asked
from pipeline.replay.errors import ReplayError
from tests.pipeline.replay.conftest import chosen

if TYPE_CHECKING:
    from pipeline.evaluate.trained import Trained
    from pipeline.replay.played import Played
    from tests.pipeline.conftest import MakeRun

GAME = chosen().config


def seeds(played: Played) -> tuple[int, int]:
    return played.trace.environment_seed, played.trace.actions_seed


def test_an_episode_of_an_evaluation(trained: Trained, played: Played) -> None:
    assert play_asked(Asked(num_steps=12), trained, GAME).trace == played.trace
    assert play_asked(Asked(3, num_steps=12), trained, GAME).trace.index == 3


def test_the_worst_is_played_and_called_so(trained: Trained) -> None:
    worst = play_asked(Asked(worst_of=20, num_steps=12), trained, GAME)
    others = [play_asked(Asked(index, num_steps=12), trained, GAME).trace.total_reward for index in range(20)]
    assert worst.trace.total_reward == min(others)
    assert ". The worst of 20. " in worst.which


def test_what_the_run_has_played_itself(make_run: MakeRun) -> None:
    run = load_trained(make_run({17: 100}, best=17, episode_steps=10), None)
    log = run.run_dir / "training_log.csv"
    log.write_text("Workflow_ID,Update,Episodes\n17,0,32\n17,1,32\n")
    of_training = play_asked(Asked(update=1, row=5), run, run.config)
    environment, actions = seeding.episode_seeds(run.config.seed, 17, [37], seeding.Purpose.TRAINING)
    assert seeds(of_training) == (int(environment[0]), int(actions[0]))
    assert ". Update 1 learned from it, row 5 of its batch. Played with the checkpoint's weights" in of_training.which
    of_visit = play_asked(Asked(4, visit=2), run, run.config)
    environment, actions = seeding.episode_seeds(run.config.seed, 17, [2 * STRIDE + 4], seeding.Purpose.EVALUATION)
    assert seeds(of_visit) == (int(environment[0]), int(actions[0]))


def test_a_baseline_has_no_episodes_of_its_own() -> None:
    with pytest.raises(ReplayError, match="only a run has episodes of its own"):
        play_asked(Asked(update=1), "sleep", GAME)
