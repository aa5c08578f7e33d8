"""What `run.py tune` searches: values of a run, each with what it may be."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from pipeline.ppo.recipe import recipe_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.config import Config

TABLE: Final = "ppo"
_DIGITS: Final = 6
"""After the point, of a distance to 1."""


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from one to another, equally likely in equal ratios."""

    low: float
    high: float
    is_whole: bool = False
    from_one: bool = False
    """What lies in the range is the distance to 1."""

    def coordinate(self, value: Any) -> float:
        """Return where a value lies, from `low` to `high` if it is of the range."""
        return round(1 - value, _DIGITS) if self.from_one else value  # type: ignore[no-any-return]

    def value(self, coordinate: Any) -> float:
        """Return the value at a place, to two digits: more would be told of a recipe than is known of it."""
        if self.is_whole:
            return int(coordinate)
        rounded = min(max(float(f"{coordinate:.2g}"), self.low), self.high)
        return round(1 - rounded, _DIGITS) if self.from_one else rounded

    def holds(self, coordinate: Any) -> bool:
        """Return whether a place is of the range."""
        return isinstance(coordinate, int | float) and self.low <= coordinate <= self.high


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few."""

    values: tuple[tuple[int, ...], ...]

    def coordinate(self, value: Any) -> str:
        """Return what a value is called."""
        return text_of(value)

    def value(self, coordinate: Any) -> tuple[int, ...]:
        """Return the value that is called so."""
        return next(value for value in self.values if self.coordinate(value) == coordinate)

    def holds(self, coordinate: Any) -> bool:
        """Return whether one is called so."""
        return coordinate in map(self.coordinate, self.values)


SPACE: Final[Mapping[str, Range | Choice]] = MappingProxyType(
    {
        "ppo.learning_rate": Range(1e-4, 1e-2),
        "ppo.final_learning_rate": Range(1e-6, 1e-4),  # no rate can rise so
        "ppo.gamma": Range(1e-3, 1e-1, from_one=True),
        "ppo.gae_lambda": Range(5e-3, 3e-1, from_one=True),
        "ppo.ent_coef": Range(3e-4, 1e-1),
        "ppo.clip_coef": Range(5e-2, 5e-1),
        "ppo.target_kl": Range(5e-3, 2e-1),
        "ppo.num_epochs": Range(2, 20, is_whole=True),
        "ppo.minibatch_size": Range(100, 6400, is_whole=True),
        "hidden_sizes": Choice(((32, 32), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256))),
        "episodes_per_update": Range(16, 256, is_whole=True),
    }
)
"""By name. docs/tuning.md says why these, and why no others."""


def searchable(config: Config) -> tuple[str, ...]:
    """Return what can be searched for a run: no weight of advantages where its recipe estimates none."""
    is_used = recipe_of(config).estimator == "gae"
    return tuple(name for name in SPACE if is_used or name != "ppo.gae_lambda")


def values_of(config: Config, names: Iterable[str]) -> dict[str, Any]:
    """Return what a run has for these names, set by itself or by its recipe."""
    recipe = recipe_of(config)
    return {
        name: getattr(recipe, name.removeprefix(f"{TABLE}.")) if name.startswith(f"{TABLE}.") else getattr(config, name)
        for name in names
    }


def with_values(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's values with others of `SPACE`."""
    own = {name.removeprefix(f"{TABLE}."): value for name, value in values.items() if name.startswith(f"{TABLE}.")}
    rest = {name: value for name, value in values.items() if not name.startswith(f"{TABLE}.")}
    return {**base, **rest, **({TABLE: {**base.get(TABLE, {}), **own}} if own else {})}


def text_of(value: Any) -> str:
    """Return a value as people read it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else f"{value:g}"
