"""The texts with gaps that what is exported is made of."""

from __future__ import annotations

from importlib import resources


def template(name: str) -> str:
    """Return a text with gaps; those of `agent.py` are written `@@SO@@`, those for people `{so}`."""
    return (resources.files("pipeline.export") / "forms" / f"{name}.txt").read_text(encoding="utf-8")
