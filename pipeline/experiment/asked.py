"""A folder in which runs lie, with what was asked of them in a file, frozen. One process at a time has it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from pydantic import ValidationError

from pipeline.experiment.errors import ExperimentError
from pipeline.persist.files import WriteError, read_bytes, reason, write_bytes
from pipeline.persist.runs import RunFolder
from pipeline.persist.toml import as_toml
from pipeline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Plan = TypeVar("Plan")


@dataclass(frozen=True, slots=True)
class Form(Generic[Plan]):
    """How plans of a kind are kept."""

    noun: str
    """What such a folder is of."""
    command: str
    """What goes on in it."""
    file: str
    """Its name in the folder."""
    values: Callable[[Plan], Mapping[str, Any]]
    """Returns what the file holds."""
    plan: Callable[[Mapping[str, Any]], Plan]
    """Returns the plan that it means; raises what it likes of whatever isn't one."""
    difference: Callable[[Plan, Plan], str]
    """Returns the first difference between the plan that is there and another, in words."""

    def is_in(self, path: Path) -> bool:
        """Return whether a folder holds one."""
        return (path / self.file).is_file()

    def text(self, plan: Plan) -> str:
        """Return the file of a plan."""
        head = f"# What was asked of this {self.noun}. `run.py {self.command} FOLDER` goes on with it.\n"
        return head + as_toml(self.values(plan))

    def read(self, path: Path) -> Plan:
        """Return what was asked in a folder.

        Raises:
            ExperimentError: There is none, or its file is damaged.
        """
        file = path / self.file
        try:
            return self.plan(tomllib.loads(read_bytes(file).decode()))
        except FileNotFoundError:
            raise ExperimentError(f"{path} is not the folder of {_a(self.noun)}: it has no {self.file}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = printable(".".join(map(str, first["loc"])))
            raise ExperimentError(f"can't read {file}: {where}: {first['msg']}. Was it edited?") from None
        except KeyError as error:
            raise ExperimentError(f"can't read {file}: it lacks {error}. Was it edited?") from None
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            why = reason(error) if isinstance(error, OSError | ValueError) else "it is no plan"
            raise ExperimentError(f"can't read {file}: {why}. Was it edited?") from None


class AskedFolder(Generic[Plan]):
    """The folder of a plan, locked against a second process."""

    def __init__(self, path: Path, plan: Plan, form: Form[Plan]) -> None:
        """Make the folder, or take the one that is there.

        Raises:
            ExperimentError: It is of another plan, or of something else, or can't be written.
            RunFolderError: Another process has it.
        """
        _require_same(path, plan, form)  # before anything is touched
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExperimentError(f"can't make the folder {path}: {error.strerror}. Choose another --log-dir") from None
        self.path = path
        self._lock = RunFolder(path)
        try:
            _require_same(path, plan, form)
            if not (path / form.file).exists():
                write_bytes(path / form.file, form.text(plan).encode())
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


def _require_same(path: Path, plan: Plan, form: Form[Plan]) -> None:
    """See that a folder is not there yet, is empty, or is of this plan.

    Raises:
        ExperimentError: It isn't.
    """
    try:
        others = [each for each in path.iterdir() if each.name != ".lock"]
    except FileNotFoundError:
        return
    except OSError as error:
        raise ExperimentError(f"can't read {path}: {error.strerror}. Choose another --log-dir") from None
    if others and not form.is_in(path):
        raise ExperimentError(f"{path} holds something else than {_a(form.noun)}: choose another --run-name")
    if others and (there := form.read(path)) != plan:
        raise ExperimentError(
            f"{path} holds another {form.noun}: {form.difference(there, plan)}. Choose another --run-name, or go on "
            f"with it as it is: {form.command} {path}"
        )


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
