"""CAGE-2 training pipeline: GP-UCB over workflows, PPO for each, whole episodes through shared memory.

```python
from pipeline import Config, Pipeline

async with Pipeline(Config(total_episodes=1000)) as pipeline:
    async for event in pipeline.events():
        ...
```

A run's policy plays anywhere: `load_agent("logs/tuesday")`. Episodes that were written down step by step are read by
`read_traces("games.jsonl")`.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import Config as Config
    from pipeline.export.agent import load_agent as load_agent
    from pipeline.run.pipeline import Pipeline as Pipeline
    from pipeline.trace.reader import read_traces as read_traces

__all__ = ["Config", "Pipeline", "load_agent", "read_traces"]

_NEEDS = {"Pipeline": ("training", "torch", "gpytorch")}
"""What the base installation lacks of what is exported, for `extras.require`."""
_HOMES = {
    "Config": "pipeline.config",
    "Pipeline": "pipeline.run.pipeline",
    "load_agent": "pipeline.export.agent",
    "read_traces": "pipeline.trace.reader",
}


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first asked for (PEP 562): workers never ask, and stay free of torch.

    Raises:
        NotInstalledError: It needs an extra that isn't installed.
    """
    if name in _NEEDS:
        from pipeline import extras

        extras.require(*_NEEDS[name])
    if name in _HOMES:
        collects = gc.isenabled()
        gc.disable()  # it would go through hundreds of thousands of new objects again and again, all of which stay
        try:
            return getattr(import_module(_HOMES[name]), name)
        finally:
            if collects:
                gc.enable()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
