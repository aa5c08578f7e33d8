"""A run that has used up its budget may go on with a larger one: what that takes, and where it is written down.

used up -> `resume --total-episodes N` -> config.json: total_episodes N, earlier_budgets with one more -> training

The new budget is for when the old one is used up, and not before: so a run remains a function of its configuration,
which has all of its budgets. `config.json` is written first. Whoever is killed before the next checkpoint goes on from
one of the earlier budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import SetupError
from pipeline.persist.files import write_json
from pipeline.persist.runs import read_config

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config import Config
    from pipeline.persist.checkpoint import Checkpoint


class SmallerBudgetError(SetupError):
    """A run can't go on with fewer episodes than it was given before."""

    def __init__(self, total_episodes: int, budget: int) -> None:
        super().__init__(
            f"--total-episodes {total_episodes}: the run has a budget of {budget} episodes, and only a larger one can "
            "take its place. To end it sooner, stop it"
        )


class BudgetLeftError(SetupError):
    """A run is given a larger budget before it has used its own up.

    Where it stood would then be part of what its results depend on, and nobody could repeat it.
    """

    def __init__(self, path: Path, num_episodes: int, budget: int) -> None:
        super().__init__(
            f"{path} has used {num_episodes} of its {budget} episodes: it can be given more when it has come to their "
            f"end. Go on with it first (resume {path})"
        )


def with_budget(config: Config, total_episodes: int) -> Config:
    """Return a run's configuration with a larger budget, for when its own is used up.

    Args:
        config: The run's.
        total_episodes: All of the run's, those before included. As many as it has change nothing.

    Raises:
        SmallerBudgetError: The run has more.
    """
    if total_episodes < config.total_episodes:
        raise SmallerBudgetError(total_episodes, config.total_episodes)
    if total_episodes == config.total_episodes:
        return config
    earlier = (*config.earlier_budgets, config.total_episodes)
    return config.model_validate({**config.model_dump(), "total_episodes": total_episodes, "earlier_budgets": earlier})


def require_used_up(checkpoint: Checkpoint | None, budget: int, path: Path) -> None:
    """Check that a run has come to the end of its budget, the last evaluation included.

    Args:
        checkpoint: The run's last, if there is any.
        budget: Its `total_episodes`.
        path: Its folder.

    Raises:
        BudgetLeftError: It has not.
    """
    num_episodes = checkpoint.total_episodes if checkpoint else 0
    if checkpoint is None or any(checkpoint.visits) or num_episodes < budget:
        raise BudgetLeftError(path, num_episodes, budget)


def record_budget(path: Path, config: Config) -> None:
    """Write down the budgets that a run has from now on; what else is in its `config.json` stays.

    Args:
        path: The run's folder, which is this process's own.
        config: Has the budgets.

    Raises:
        WriteError: If the disk is full, say; then the file is as it was.
    """
    budgets = {"total_episodes": config.total_episodes, "earlier_budgets": config.earlier_budgets}
    recorded = read_config(path).model_copy(update=budgets)
    write_json(path / "config.json", recorded.model_dump(mode="json"))
