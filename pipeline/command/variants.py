"""What `run.py experiment` is to vary: values by options or in a file, every combination of which is a variant."""

from __future__ import annotations

import difflib
import itertools
import re
from typing import TYPE_CHECKING, Any, Final

from pipeline.command.options import FIELDS, TABLE, UsageError
from pipeline.printable import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PLACED: Final = ("seed", "log_dir", "run_name")
"""What no variant has for itself."""


def variants_of(
    asked: Mapping[str, Any], vary: Sequence[str], file: Path | None
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return by name what a variant has of the file's values, and of the options'."""
    varied = _varied_in_file(asked.get("vary", {}), file)
    for text in vary:
        name, values = _varied(text)
        varied[name] = [(False, value) for value in values]
    named = asked.get("variants", {})
    if named and varied:
        raise UsageError("variants by name, or values to vary: give one of the two")
    for name, values in named.items():
        if not isinstance(values, dict):
            raise UsageError(f"{file}: variant {shown(name)} must be a table, [variants.{shown(name)}]")
        if taken := [key for key in PLACED if key in values]:
            raise UsageError(f"{file}: variant {shown(name)} can't have its own {taken[0]}: that is the experiment's")
    if named:
        return {name: (values, {}) for name, values in named.items()}
    variants: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for combination in itertools.product(*varied.values()):
        chosen = list(zip(varied, combination, strict=True))
        name = "-".join(_label(option, value) for option, (_, value) in chosen) or "base"
        if name in variants:
            raise UsageError(f"two variants would be called {name}: name them in a file, [variants.NAME]")
        variants[name] = (
            _nested({option: value for option, (is_files, value) in chosen if is_files}),
            _nested({option: value for option, (is_files, value) in chosen if not is_files}),
        )
    return variants


def _varied_in_file(table: Mapping[str, Any], file: Path | None) -> dict[str, list[tuple[bool, Any]]]:
    flat = {
        name: values
        for key, each in table.items()
        for name, values in (
            {f"{key}.{k}": v for k, v in each.items()} if isinstance(each, dict) else {key: each}
        ).items()
    }
    varied = {}
    for name, values in flat.items():
        if not isinstance(values, list) or not values:
            raise UsageError(f"{file}: vary: {shown(name)} must be a list of values")
        varied[_option(f"{file}: vary:", name)] = [(True, value) for value in values]
    return varied


def _varied(text: str) -> tuple[str, list[Any]]:
    """Return the option and the values that --vary gives."""
    name, equals, values = text.partition("=")
    option = _option("--vary", name)
    each = [value.strip() for value in values.split(";" if ";" in values else ",")]
    if not equals or not all(each):
        raise UsageError(f"--vary {shown(text)}: must be NAME=A,B,..., as in ppo.learning-rate=1e-3,3e-4")
    if FIELDS[option].annotation is bool:
        words = {"on": True, "true": True, "off": False, "false": False}
        if wrong := [value for value in each if value not in words]:
            raise UsageError(f"--vary {name}: {shown(wrong[0])}: must be on or off")
        return option, [words[value] for value in each]
    return option, each


def _option(where: str, text: str) -> str:
    """Return the configuration value that is meant."""
    name = text.strip().removeprefix("--").replace("-", "_")
    if name in PLACED:
        raise UsageError(
            f"{where} {shown(text)}: that is the experiment's; --seeds says how many seeds each variant has"
        )
    if name in FIELDS:
        return name
    near = [f"{TABLE}.{name}"] if f"{TABLE}.{name}" in FIELDS else difflib.get_close_matches(name, FIELDS, n=1)
    advice = f"did you mean {near[0].replace('_', '-')}?" if near else "see run.py experiment --help"
    raise UsageError(f"{where} unknown option {shown(text)}: {advice}")


def _label(option: str, value: Any) -> str:
    name = option.rpartition(".")[2].replace("_", "-")
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}-{text}")


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with those of the table in a table."""
    nested: dict[str, Any] = {}
    for option, value in values.items():
        table, _, name = option.rpartition(".")
        (nested.setdefault(table, {}) if table else nested)[name] = value
    return nested


def overlaid(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others over them, those of the table one by one."""
    both = {**values, **others}
    if isinstance(values.get(TABLE), dict) and isinstance(others.get(TABLE), dict):
        both[TABLE] = {**values[TABLE], **others[TABLE]}
    return both
