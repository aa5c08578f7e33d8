"""The command line's options, made from the configuration: names, help, defaults and checks stand there only."""

from __future__ import annotations

import argparse
import difflib
import math
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn, get_args, get_origin

from pydantic import ValidationError

from pipeline.cage2.facts.order_names import order_name
from pipeline.config import Config
from pipeline.errors import SetupError
from pipeline.hyperparameters import Hyperparameters
from pipeline.marks import Topic
from pipeline.ppo.recipe import RECIPES, recipe_of
from pipeline.printable import shown
from pipeline.values import SPEED_FIELDS, effect_of, topic_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


_METAVARS: Final = {"init_from": "RUN", "workflow": "ORDER", "hidden_sizes": "N,N", "red_agent": "NAME,..."}
TABLE: Final = "ppo"
"""The value that is a table of values itself: each has an option, `--ppo.NAME`."""
FIELDS: Final[Mapping[str, FieldInfo]] = {
    key: value
    for name, field in Config.model_fields.items()
    if topic_of(name)
    for key, value in (
        ((f"{TABLE}.{key}", value) for key, value in Hyperparameters.model_fields.items())
        if name == TABLE
        else [(name, field)]
    )
}
"""What has an option, by its name."""
MAX_EPISODES: Final = 1_000_000
MAX_STEPS: Final = 10_000
"""The most that `evaluate`, `trace` and `export` take for an option."""
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


def add_options(parser: argparse.ArgumentParser, names: tuple[str, ...] = tuple(FIELDS)) -> None:
    """Add an option per configuration value, those of a topic together. What isn't given stays out of the namespace."""
    for topic in Topic:
        group = parser.add_argument_group(topic.value)
        for name in names:
            if topic_of(name.partition(".")[0]) is topic:
                _add_option(group, name, FIELDS[name])


def add_file_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a file with configuration values."""
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="read values from a file; options override it")


def make_config(options: Mapping[str, Any], file: Path | None = None) -> Config:
    """Return the configuration of a command line.

    Args:
        options: What was given, from `given_options`; strings will do.
        file: A TOML file with further values, which the options override.

    Raises:
        UsageError: For a value that doesn't fit, an unknown key, or a file that can't be read.
        RecipeError: For hyper-parameters that don't go together.
    """
    return config_of(options, read_toml("--config", file) if file else {}, file)


def config_of(options: Mapping[str, Any], from_file: Mapping[str, Any], file: Path | None) -> Config:
    """Return the configuration of options and a file's values, as `make_config` does.

    Args:
        options: As there.
        from_file: What was read.
        file: From where, for what is told of mistakes.
    """
    _check_types(from_file, file)
    values = {**from_file, **options}
    if TABLE in from_file:  # the file's has others than the options', or is no table, which is told
        table = from_file[TABLE]
        values[TABLE] = {**table, **options.get(TABLE, {})} if isinstance(table, dict) else table
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise UsageError(_first_mistake(error, options, file)) from None
    recipe_of(config)
    return config


def _check_types(values: Mapping[str, Any], file: Path | None, table: str = "") -> None:
    """Refuse values of a file that are of another TOML type than their fields: the number "100" in quotes."""
    for name, value in values.items():
        option = f"{table}.{name}" if table else name
        if name == TABLE and not table and isinstance(value, dict):
            _check_types(value, file, TABLE)
        elif option in FIELDS and (wanted := _other_type(value, FIELDS[option].annotation)):
            raise UsageError(f"{file}: {option} = {value!r:.60}: must be {wanted}")


def given_options(namespace: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration values that were given on the command line, as `Config` takes them."""
    given: dict[str, Any] = {}
    for option, value in vars(namespace).items():
        if option in FIELDS:
            table, _, name = option.rpartition(".")
            (given.setdefault(table, {}) if table else given)[name] = value
    return given


def as_arguments(values: Mapping[str, Any]) -> list[str]:
    """Return the options that give configuration values: what `given_options` makes of them again.

    Args:
        values: By name, as `Config.model_dump` has them. What is None is left out.
    """
    arguments = []
    for name, value in values.items():
        if name == TABLE:
            arguments += as_arguments({f"{TABLE}.{key}": each for key, each in value.items()})
        elif isinstance(value, bool):
            arguments.append(_flag(name) if value else f"--no-{_flag(name).removeprefix('--')}")
        elif value is not None and name in FIELDS:
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            arguments.append(f"{_flag(name)}={text}")
    return arguments


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
    if set(SPEED_FIELDS) <= set(known) and flag in map(_flag, FIELDS):
        return UsageError(f"{flag} can't change when a run is resumed, only {', '.join(flags)} can")
    near = difflib.get_close_matches(flag, flags, n=1)
    return UsageError(f"unknown option {shown(flag)}: " + (f"did you mean {near[0]}?" if near else "see run.py --help"))


def _add_option(group: argparse._ArgumentGroup, name: str, field: FieldInfo) -> None:
    keywords: dict[str, Any] = {"dest": name, "default": argparse.SUPPRESS, "help": _help(name, field)}
    if field.annotation is bool:
        group.add_argument(_flag(name), action=argparse.BooleanOptionalAction, **keywords)
    else:
        group.add_argument(_flag(name), metavar=_metavar(name, field), **keywords)


def read_toml(what: str, file: Path) -> dict[str, Any]:
    """Return what a file of TOML holds.

    Args:
        what: The option that named it.
        file: Its path.

    Raises:
        UsageError: It can't be read.
    """
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise UsageError(f"{what} {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{what} {file}: not valid TOML: {error}") from None


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
    table, name = options, str(first["loc"][0])
    if name == TABLE:
        if len(first["loc"]) == 1:
            return f"{file}: {name} {shown(first['input'])}: must be a table, [{name}]"
        table, name = options.get(TABLE, {}), f"{TABLE}.{first['loc'][1]}"
    if first["type"] == "extra_forbidden":
        if isinstance(first["input"], dict):
            return f"{file}: unknown table [{shown(name)}]: keys stand by themselves here, under no table but [{TABLE}]"
        near = difflib.get_close_matches(name, FIELDS, n=1)
        return f"{file}: unknown key '{shown(name)}'" + (f"; did you mean {near[0]!r}?" if near else "")
    where = _flag(name) if name.rpartition(".")[2] in table or file is None else f"{file}: {name}"
    return f"{where} {shown(first['input'])}: {_requirement(first, {**Config.model_fields, **FIELDS}[name])}"


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
    text = _description(field).replace("%", "%%")
    if name.startswith(f"{TABLE}."):
        return f"{text} [{_by_recipe(name.removeprefix(f'{TABLE}.'))}]"
    effect = effect_of(name)
    text += f" ({effect.value})" if effect else ""
    if field.default is None or field.default_factory is not None:
        return text
    if field.annotation is bool:
        return f"{text} [{'on' if field.default else 'off'}]"
    if isinstance(field.default, tuple):
        return f"{text} [{','.join(map(str, field.default))}]"
    return f"{text} [{field.default}]"


def _by_recipe(name: str) -> str:
    """Return a hyper-parameter's value in the default recipe, and in those where it is another one."""
    values = {recipe.name: getattr(recipe, name) for recipe in RECIPES.values()}
    default = values.pop(Config.model_fields["recipe"].default)
    others = [f"{recipe}: {_figure(value)}" for recipe, value in values.items() if value != default]
    return ", ".join([_figure(default), *others])


def _figure(value: float | None) -> str:
    if value is None:
        return "the batch"
    return f"{value:g}" if math.isfinite(value) else "none"


def _metavar(name: str, field: FieldInfo) -> str:
    if name.startswith(f"{TABLE}."):
        return "N" if name.endswith(("epochs", "size")) else "X"
    if get_origin(field.annotation) is Literal:
        return "{" + ",".join(get_args(field.annotation)) + "}"
    if isinstance(field.annotation, type) and issubclass(field.annotation, StrEnum):
        return "{" + ",".join(field.annotation) + "}"
    if name in _METAVARS:
        return _METAVARS[name]
    if field.annotation is Path:
        return "DIR"
    if field.annotation is str or name.endswith("name"):
        return name.rpartition("_")[2].upper()
    return "X" if field.annotation is float else "N"


def number_of(flag: str, text: str, highest: int, lowest: int = 1) -> int:
    """Return the number that an option gives.

    Raises:
        UsageError: It is none from the lowest to the highest.
    """
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(highest))
    if not (is_number and lowest <= int(text) <= highest):
        raise UsageError(f"{flag} {text!r:.60}: must be a whole number from {lowest} to {highest}")
    return int(text)
