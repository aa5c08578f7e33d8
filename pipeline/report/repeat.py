"""How a run is repeated: the command, and what it was made with."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from pipeline.config import Config
from pipeline.values import effect_of, topic_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def command(config: Config) -> str:
    """Return the command line that trains the same: all values that results depend on and that aren't the defaults."""
    return shlex.join(["python", "run.py", *_options(config)])


def _options(config: Config) -> Iterator[str]:
    default = Config.model_validate({"recipe": config.recipe}).model_dump(mode="json")
    for name, value in config.model_dump(mode="json").items():
        if topic_of(name) is None or effect_of(name) is not None or value == default[name] or value is None:
            continue
        if isinstance(value, dict):
            for key, inner in value.items():
                if inner is not None:
                    yield from _option(f"{name}.{key}", inner)
        else:
            yield from _option(name, value)
    if config.recipe != Config().recipe:
        yield from _option("recipe", config.recipe)


def _option(name: str, value: Any) -> Iterator[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        yield f"--{flag}" if value else f"--no-{flag}"
        return
    yield f"--{flag}"
    yield ",".join(map(str, value)) if isinstance(value, list) else str(value)
