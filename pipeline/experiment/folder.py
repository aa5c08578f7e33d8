"""An experiment's folder: what was asked, frozen, and a folder for each run. One process at a time has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipeline.experiment.asked import AskedFolder, Form
from pipeline.experiment.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EXPERIMENT: Final = "experiment.toml"
"""In the experiment's folder."""


class ExperimentFolder(AskedFolder[Plan]):
    """An experiment's folder, locked against a second process."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Make the folder, or take the one that is there.

        Raises:
            ExperimentError: It is of another experiment, or of something else, or can't be written.
            RunFolderError: Another process has it.
        """
        super().__init__(path, plan, _FORM)


def is_experiment(path: Path) -> bool:
    """Return whether a folder is an experiment's."""
    return _FORM.is_in(path)


def read_plan(path: Path) -> Plan:
    """Return what was asked of the experiment in a folder.

    Raises:
        ExperimentError: There is none, or its file is damaged.
    """
    return _FORM.read(path)


def as_toml(plan: Plan) -> str:
    """Return a plan as `read_plan` reads it."""
    return _FORM.text(plan)


def _values(plan: Plan) -> dict[str, Any]:
    return {"seeds": plan.num_seeds, "stop_hopeless": plan.stop_hopeless, "variants": plan.variants}


def _plan(asked: Mapping[str, Any]) -> Plan:
    return Plan(asked["variants"], asked["seeds"], asked["stop_hopeless"])


def _difference(there: Plan, asked: Plan) -> str:
    if there.num_seeds != asked.num_seeds:
        return f"of {there.num_seeds} seeds, not {asked.num_seeds}"
    if there.variants.keys() != asked.variants.keys():
        return f"its variants are {', '.join(there.variants)}, not {', '.join(asked.variants)}"
    for name, values in asked.variants.items():
        for key in {**values, **there.variants[name]}:
            one, other = there.variants[name].get(key), values.get(key)
            if one != other:
                return f"{key} of {name} is {one}, not {other}"
    return "with --stop-hopeless" if there.stop_hopeless else "without --stop-hopeless"


_FORM: Final = Form("experiment", "experiment", EXPERIMENT, _values, _plan, _difference)
