from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.engine.red import NO_TARGET

if TYPE_CHECKING:
    from collections.abc import Callable


def test_it_does_nothing_and_draws_nothing(play: Callable[..., Any]) -> None:
    game = play("SleepAgent")
    before = game.env.batch.generator_state(0)
    for _ in range(20):
        assert game.blue("Sleep") == 0
    assert game.env.batch.generator_state(0) == before
    assert game.last() == ("Sleep", NO_TARGET)
