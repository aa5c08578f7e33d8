"""Which game a command line asks for, where a run's own may be it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.command.options import make_config
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.evaluate.trained import Trained


def game_config(given: dict[str, Any], trained: Trained | None) -> Config:
    """Return what is played: the run's game, with its interface and its rule of compliance, as far as not told."""
    if trained is None:
        return make_config(given)
    # who attacked in training needn't be there any more
    return make_config({**what_results_depend_on(trained.config), "red_sha256": {}, "seed": 0, **given})
