"""The command line's options, made from the configuration: names, help, defaults and checks stand there only."""

from __future__ import annotations

import argparse
import difflib
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn, get_args, get_origin

from pydantic import ValidationError

from pipeline.cage2.facts.orders import order_name
from pipeline.config import SPEED_FIELDS, Config, effect_of
from pipeline.errors import SetupError
from pipeline.printable import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


_TOML_TYPES: Final[Mapping[type, tuple[tuple[type, ...], str]]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}
"""What a field of a type may be in a file, and that in words."""


class UsageError(SetupError):
    """The user's mistake, in one line that says what to do."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and that takes no abbreviations: a new option can't break them."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(allow_abbrev=False, **keywords)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` instead of printing the usage and exiting."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def add_options(parser: argparse.ArgumentParser, names: tuple[str, ...] = tuple(Config.model_fields)) -> None:
    """Add an option per configuration value. What isn't given stays out of the namespace."""
    for name in names:
        field = Config.model_fields[name]
        keywords: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": _help(name, field)}
        if field.annotation is bool:
            parser.add_argument(_flag(name), action=argparse.BooleanOptionalAction, **keywords)
        else:
            parser.add_argument(_flag(name), metavar=_metavar(name, field), **keywords)


def add_file_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a file with configuration values."""
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="read values from a file; options override it")


def make_config(options: Mapping[str, Any], file: Path | None = None) -> Config:
    """Return the configuration of a command line.

    Args:
        options: What was given, by name; strings will do.
        file: A TOML file with further values, which the options override.

    Raises:
        UsageError: For a value that doesn't fit, an unknown key, or a file that can't be read.
    """
    from_file = _read_toml(file) if file else {}
    for name, value in from_file.items():
        if name in Config.model_fields and (wanted := _other_type(value, Config.model_fields[name].annotation)):
            raise UsageError(f"{file}: {name} = {value!r:.60}: must be {wanted}")
    try:
        return Config.model_validate({**from_file, **options})
    except ValidationError as error:
        raise UsageError(_first_mistake(error, options, file)) from None


def given_options(namespace: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration values that were given on the command line."""
    return {name: value for name, value in vars(namespace).items() if name in Config.model_fields}


def unknown_argument(argument: str, known: tuple[str, ...]) -> UsageError:
    """Return what to tell of an argument that no option takes.

    Args:
        argument: As it was given.
        known: Names of the configuration values that have an option here.
    """
    flag = argument.partition("=")[0]
    if flag == "-":
        return UsageError(
            "unexpected '-': an order is one argument. Put it into quotes, else the shell takes each > for itself: "
            f"--workflow '{order_name(0)}'"
        )
    if not flag.startswith("-"):
        return UsageError(f"unexpected argument '{shown(argument)}' (see run.py --help)")
    flags = [_flag(name) for name in known]
    if known == SPEED_FIELDS and flag in map(_flag, Config.model_fields):
        return UsageError(f"{flag} can't change when a run is resumed, only {', '.join(flags)} can")
    near = difflib.get_close_matches(flag, flags, n=1)
    return UsageError(f"unknown option {shown(flag)}: " + (f"did you mean {near[0]}?" if near else "see run.py --help"))


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise UsageError(f"--config {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"--config {file}: not valid TOML: {error}") from None


def _other_type(value: object, annotation: object) -> str | None:
    """Return what a file's value must be instead, in words, if it is of another type than the field asks for.

    Text, numbers and true are told apart by TOML, but not by pydantic, which is lenient for the command line's sake.
    What is no number to begin with, pydantic refuses itself.
    """
    for kind, (accepted, words) in _TOML_TYPES.items():
        if kind in _types_in(annotation):
            if not isinstance(value, (str, float, int)) or type(value) in accepted:
                return None
            return f"{words}, without quotes" if isinstance(value, str) else words
    return None


def _types_in(annotation: object) -> list[object]:
    """Return an annotation and all that it is made of: of `Annotated[int, ...] | None`, int and None as well."""
    parts = get_args(annotation)[:1] if get_origin(annotation) is Annotated else get_args(annotation)
    return [annotation, *(each for part in parts for each in _types_in(part))]


def _first_mistake(error: ValidationError, options: Mapping[str, Any], file: Path | None) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")
    name = str(first["loc"][0])
    where = _flag(name) if name in options or file is None else f"{file}: {name}"
    if first["type"] == "extra_forbidden":
        if isinstance(first["input"], dict):
            return f"{file}: unknown table [{shown(name)}]: keys stand by themselves here, under no table"
        near = difflib.get_close_matches(name, Config.model_fields, n=1)
        return f"{file}: unknown key '{shown(name)}'" + (f"; did you mean {near[0]!r}?" if near else "")
    return f"{where} {shown(first['input'])}: {_requirement(first, Config.model_fields[name])}"


def _requirement(error: ErrorDetails, field: FieldInfo) -> str:
    """Return what a value must be: pydantic's words for it, shortened."""
    if error["type"] == "string_pattern_mismatch":
        return f"doesn't fit. {_description(field)}"
    message = error["msg"].removeprefix("Value error, ").partition(", unable to")[0]
    return message.replace("Input should be", "must be")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _description(field: FieldInfo) -> str:
    """Return what a field's docstring says, in one line and without markup."""
    return " ".join((field.description or "").replace("`", "").replace("*", "").split())


def _help(name: str, field: FieldInfo) -> str:
    effect = effect_of(name)
    text = _description(field).replace("%", "%%") + (f" ({effect.value})" if effect else "")
    if field.default is None or field.default_factory is not None:
        return text
    if field.annotation is bool:
        return f"{text} [{'on' if field.default else 'off'}]"
    return f"{text} [{field.default}]"


def _metavar(name: str, field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return "{" + ",".join(get_args(field.annotation)) + "}"
    if isinstance(field.annotation, type) and issubclass(field.annotation, StrEnum):
        return "{" + ",".join(field.annotation) + "}"
    if field.annotation is Path:
        return "DIR"
    if name == "workflow":
        return "ORDER"
    if field.annotation is str or name.endswith("name"):
        return name.rpartition("_")[2].upper()
    return "X" if field.annotation is float else "N"
