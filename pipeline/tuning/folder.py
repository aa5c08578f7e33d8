"""The folder of a search for hyper-parameters: what was asked, a folder for each run, the comparison, the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipeline.experiment.asked import AskedFolder, Form
from pipeline.tuning.plan import TuningPlan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TUNING: Final = "tuning.toml"
"""What was asked."""
RECIPE: Final = "recipe.toml"
"""What came of it."""
FRESH: Final = "fresh"
"""The experiment in which the winner is compared with the defaults."""
_FIELDS: Final = {
    "trials": "num_trials",
    "seeds": "num_seeds",
    "fresh_seeds": "num_fresh_seeds",
    "together": "num_together",
    "search": "search",
    "base": "base",
}
"""Of a plan, by what the file calls them."""


class TuningFolder(AskedFolder[TuningPlan]):
    """A search's folder, locked against a second process."""

    def __init__(self, path: Path, plan: TuningPlan) -> None:
        """Make the folder, or take the one that is there.

        Raises:
            ExperimentError: It is of another search, or of something else, or can't be written.
            RunFolderError: Another process has it.
        """
        super().__init__(path, plan, _FORM)


def is_tuning(path: Path) -> bool:
    """Return whether a folder is a search's."""
    return _FORM.is_in(path)


def read_plan(path: Path) -> TuningPlan:
    """Return what was asked of the search in a folder.

    Raises:
        ExperimentError: There is none, or its file is damaged.
    """
    return _FORM.read(path)


def _values(plan: TuningPlan) -> dict[str, Any]:
    return {name: getattr(plan, field) for name, field in _FIELDS.items()}


def _plan(asked: Mapping[str, Any]) -> TuningPlan:
    values = {field: asked[name] for name, field in _FIELDS.items()}
    return TuningPlan(**{**values, "search": tuple(values["search"])})


def _difference(there: TuningPlan, asked: TuningPlan) -> str:
    for name, one in _values(there).items():
        other = _values(asked)[name]
        if name != "base" and one != other:
            return f"its {name.replace('_', ' ')} are {_text(one)}, not {_text(other)}"
    key = next(key for key in {**asked.base, **there.base} if asked.base.get(key) != there.base.get(key))
    return f"{key} is {there.base.get(key)}, not {asked.base.get(key)}"


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


_FORM: Final = Form("search", "tune", TUNING, _values, _plan, _difference)
