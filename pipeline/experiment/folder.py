"""An experiment's folder: what was asked, frozen, and a folder for each run. One process at a time has it."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import ValidationError

from pipeline.experiment.errors import ExperimentError
from pipeline.experiment.plan import Plan
from pipeline.persist.files import WriteError, read_bytes, reason, write_bytes
from pipeline.persist.runs import RunFolder
from pipeline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

EXPERIMENT: Final = "experiment.toml"
"""In the experiment's folder."""
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
"""Keys that TOML takes without quotes."""
_HEAD: Final = "# What was asked of this experiment. `run.py experiment FOLDER` goes on with it.\n"


class ExperimentFolder:
    """An experiment's folder, locked against a second process."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Make the folder, or take the one that is there.

        Raises:
            ExperimentError: It is of another experiment, or of something else, or can't be written.
            RunFolderError: Another process has it.
        """
        self.path = path
        _require_same(path, plan)  # before anything is touched
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExperimentError(f"can't make the folder {path}: {error.strerror}. Choose another --log-dir") from None
        self.path = path
        self._lock = RunFolder(path)
        try:
            _require_same(path, plan)
            if not (path / EXPERIMENT).exists():
                write_bytes(path / EXPERIMENT, as_toml(plan).encode())
        except WriteError as error:
            self.close()
            raise ExperimentError(f"can't write to {path}: {error.reason.strerror}") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the folder."""
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.close()


def is_experiment(path: Path) -> bool:
    """Return whether a folder is an experiment's."""
    return (path / EXPERIMENT).is_file()


def read_plan(path: Path) -> Plan:
    """Return what was asked of the experiment in a folder.

    Raises:
        ExperimentError: There is none, or its file is damaged.
    """
    try:
        asked = tomllib.loads(read_bytes(path / EXPERIMENT).decode())
        return Plan(asked["variants"], asked["seeds"], asked["stop_hopeless"])
    except FileNotFoundError:
        raise ExperimentError(f"{path} is not the folder of an experiment: it has no {EXPERIMENT}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = printable(".".join(map(str, first["loc"])))
        raise ExperimentError(f"can't read {path / EXPERIMENT}: {where}: {first['msg']}. Was it edited?") from None
    except KeyError as error:
        raise ExperimentError(f"can't read {path / EXPERIMENT}: it lacks {error}. Was it edited?") from None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        why = reason(error) if isinstance(error, OSError | ValueError) else "it is no plan"
        raise ExperimentError(f"can't read {path / EXPERIMENT}: {why}. Was it edited?") from None


def _require_same(path: Path, plan: Plan) -> None:
    """See that a folder is not there yet, is empty, or is of this experiment.

    Raises:
        ExperimentError: It isn't.
    """
    try:
        others = [each for each in path.iterdir() if each.name != ".lock"]
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExperimentError(f"can't read {path}: {error.strerror}. Choose another --log-dir") from None
    if others and not is_experiment(path):
        raise ExperimentError(f"{path} holds something else than an experiment: choose another --run-name")
    if others and (there := read_plan(path)) != plan:
        raise ExperimentError(
            f"{path} holds another experiment: {_difference(there, plan)}. Choose another --run-name, or go on with it "
            f"as it is: experiment {path}"
        )


def as_toml(plan: Plan) -> str:
    """Return a plan as `read_plan` reads it."""
    lines = [f"seeds = {plan.num_seeds}", f"stop_hopeless = {_value(plan.stop_hopeless)}"]
    for name, values in plan.variants.items():
        lines += ["", *_table(f"variants.{_key(name)}", values)]
    return _HEAD + "\n".join(lines) + "\n"


def _table(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    for key, value in values.items():
        if not isinstance(value, dict):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in values.items():
        if isinstance(value, dict):
            yield ""
            yield from _table(f"{name}.{_key(key)}", value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    """Return a text in quotes: TOML's are JSON's, but for one more character that has to be escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


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
