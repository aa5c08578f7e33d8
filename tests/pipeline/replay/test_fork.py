from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import seeding
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts import spec
from pipeline.estimates import estimate
from pipeline.play.play_out import play_out
from pipeline.replay import fork as module
from pipeline.replay.errors import ReplayError
from pipeline.replay.fork import QUANTILES, fork, why_not
from pipeline.replay.played import play
from tests.pipeline.replay.conftest import NUM_STEPS, chosen

if TYPE_CHECKING:
    from pipeline.evaluate.trained import Trained
    from pipeline.replay.played import Played

NUM_FUTURES = 50


def test_its_own_choice_is_going_on(trained: Trained) -> None:
    """A greedy policy chooses so again: by the play-outs alone come the same returns, from the moment on."""
    greedy = play(trained, chosen(num_steps=30), greedy=True)
    assert greedy.game is not None
    moment = 11
    choice = greedy.trace.steps[moment].blue.choice
    tried = fork(greedy.trace, greedy.game, greedy.agent, moment, choice, NUM_FUTURES)  # type: ignore[arg-type]
    interface = greedy.agent.interface  # type: ignore[union-attr]
    games = module._Games(1, greedy.trace, greedy.game, interface)
    games.begin()
    for step in greedy.trace.steps[:moment]:
        games.step(step.blue.choice)
    many = module._Games(NUM_FUTURES, greedy.trace, greedy.game, interface)
    environment, actions = seeding.episode_seeds(
        greedy.trace.environment_seed, moment, np.arange(NUM_FUTURES), seeding.Purpose.FUTURE
    )
    many.go_on(games.states()[0], environment.tolist())
    returns = play_out(many.states(), greedy.agent, 30 - moment, actions)  # type: ignore[arg-type]
    assert tried.own.mean == pytest.approx(returns.mean(), abs=1e-4)
    assert tried.own.stderr == pytest.approx(estimate(returns).stderr, abs=1e-4)
    assert tried.own.quantiles == tuple(np.quantile(returns, QUANTILES, method="inverted_cdf"))
    assert (tried.other, tried.difference, tried.difference_stderr) == (tried.own, 0, 0)
    assert len(set(returns)) > 1


def test_futures_are_the_engines_own() -> None:
    """Of `sleep`, which needs no memory, one by one: the same game, another action, the same seeds."""
    played = play("sleep", chosen(num_steps=25))
    assert played.game is not None
    moment, choice = 9, "Restore User1"
    tried = fork(played.trace, played.game, "sleep", moment, choice, NUM_FUTURES)
    environment, _ = seeding.episode_seeds(
        played.trace.environment_seed, moment, np.arange(NUM_FUTURES), seeding.Purpose.FUTURE
    )
    returns = {action: np.zeros(NUM_FUTURES) for action in ("Sleep", choice)}
    for action, sums in returns.items():
        for future, seed in enumerate(environment.tolist()):
            batch = GameBatch(1, played.trace.red_agent)
            batch.reset([played.trace.environment_seed])
            for _ in range(moment):
                batch.step(spec.SLEEP)
            batch.reseed([seed])
            batch.step(spec.ACTION_NAMES.index(action))
            sums[future] = batch.rewards[0] / 10
            for _ in range(25 - moment - 1):
                batch.step(spec.SLEEP)
                sums[future] += batch.rewards[0] / 10
    assert tried.own.mean == pytest.approx(returns["Sleep"].mean(), abs=1e-4)
    assert tried.other.mean == pytest.approx(returns[choice].mean(), abs=1e-4)
    pairs = estimate(returns[choice] - returns["Sleep"])
    assert (tried.difference, tried.difference_stderr) == pytest.approx((pairs.mean, pairs.stderr), abs=1e-4)
    assert tried.difference != 0


@pytest.mark.parametrize("moment", [0, NUM_STEPS - 1])
def test_a_histogram_has_all_futures(moment: int, played: Played) -> None:
    tried = played.fork(moment, num_futures=NUM_FUTURES)
    assert (tried.moment, tried.num_steps) == (moment, NUM_STEPS - moment)
    assert tried.other.choice != tried.own.choice == played.trace.steps[moment].blue.choice
    for outcomes in (tried.own, tried.other):
        assert len(outcomes.counts) == len(tried.edges) - 1 <= module.NUM_BINS + 1
        assert sum(outcomes.counts) == NUM_FUTURES
        assert tried.edges[0] <= outcomes.quantiles[0] <= outcomes.quantiles[-1] <= tried.edges[-1]
    assert played.fork(moment, num_futures=NUM_FUTURES) == tried


def test_what_is_not_there_is_told(played: Played) -> None:
    with pytest.raises(ReplayError, match="moment 12: the episode has 12, from 0"):
        played.fork(NUM_STEPS, "Sleep")
    with pytest.raises(ReplayError, match="the agent has no action Restore <b>: choose of Sleep, Analyse Enterprise0"):
        played.fork(3, "Restore <b>")
    with pytest.raises(ReplayError, match="step 4 has no other choice that is likely: name one"):
        play("restore", chosen()).fork(3)


def test_another_game_is_noticed(played: Played) -> None:
    first = played.trace.steps[0]
    steps = (replace(first, reward=replace(first.reward, total=-7.7)), *played.trace.steps[1:])
    with pytest.raises(ReplayError, match="the engine plays another episode by this seed"):
        replace(played, trace=replace(played.trace, steps=steps)).fork(2, num_futures=2)


def test_why_it_cannot_be(played: Played) -> None:
    assert played.game is not None
    assert why_not(played.game, "B_lineAgent", "restore") is None
    assert "--engine fast" in str(why_not(replace(played.game, engine="cyborg"), "B_lineAgent", "restore"))
    assert "attacker" in str(why_not(played.game, "my_red.py:Mine", "restore"))
    assert "Random plays by its own code" in str(why_not(played.game, "B_lineAgent", "Random"))
