"""What pages tell their readers to type: blocks of commands, and commands that are mentioned in a sentence."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OF_COMMANDS = ("sh", "console")
"""Languages of blocks that are typed: lines of a shell; what is typed behind `$ `, and what comes of it."""
FENCE = re.compile(rf'```(?P<language>{"|".join(OF_COMMANDS)}|text|python|toml|js)(?: title="(?P<title>.+)")?')
OUTSIDE = re.compile(r" {4,}(?:\$ |\S*python |pip |make |ray )")
"""How a command begins that stands in an indented block."""
OPERATORS = "&|;<>"
"""What operators of a shell are made of."""
PROGRAM = re.compile(r"(?:(?:\.venv/bin/)?python )?(?:run|bench/\w+|examples/\w+)\.py(?: |$)|make(?: |$)")
"""How a command of this project begins."""


class Block(NamedTuple):
    """What stands between two fences."""

    language: str
    title: str | None
    """Where it belongs, or what it needs that tests don't have: `on the second machine`. Such a block isn't run."""
    first_line: int
    text: str


class Line(NamedTuple):
    """A command line, as it is typed."""

    text: str
    error: str
    """With which it ends, as the page shows it, up to where it is cut short by `...`; empty if it ends well."""
    title: str | None
    """Of its block."""
    number: int
    """Of its first line in the page."""

    @property
    def words(self) -> list[str]:
        """Its words, comments left out, operators of the shell as words of their own."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars=OPERATORS)
        lexer.whitespace_split = True
        return list(lexer)


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page.

    Raises:
        ValueError: A fence doesn't say what is in its block, or a command stands in none.
    """
    blocks: list[Block] = []
    begun: re.Match[str] | None = None
    first_line = 0
    for number, line in enumerate(lines := page.splitlines(), 1):
        if not line.startswith("```"):
            if begun is None and OUTSIDE.match(line):
                msg = f"line {number} is a command outside of a block: {line}"
                raise ValueError(msg)
        elif begun is not None:
            text = "\n".join(lines[first_line - 1 : number - 1])
            blocks.append(Block(begun["language"], begun["title"], first_line, text))
            begun = None
        elif begun := FENCE.fullmatch(line):
            first_line = number + 1
        else:
            msg = f"line {number} doesn't say what is in its block: {line}"
            raise ValueError(msg)
    return blocks


def lines_of(block: Block) -> list[Line]:
    """Return the command lines of a block; one that goes on behind a backslash is one."""
    if block.language not in OF_COMMANDS:
        return []
    rows = block.text.splitlines()
    lines: list[Line] = []
    at = 0
    while at < len(rows):
        row, number = rows[at], block.first_line + at
        at += 1
        if block.language == "console":
            if not row.startswith("$ "):
                continue
            row = row.removeprefix("$ ")
        while row.endswith("\\"):
            row = f"{row[:-1]} {rows[at].strip()}"
            at += 1
        shown = rows[at] if block.language == "console" and at < len(rows) else ""
        error = shown.partition("...")[0] if shown.startswith("error: ") else ""
        lines.append(Line(row, error, block.title, number))
    return [line for line in lines if line.words]


def mentions_in(page: str) -> list[list[str]]:
    """Return the words of what is mentioned as code in sentences and tables, where it begins as a command does."""
    sentences = re.sub(r"(?ms)^```.*?^```$", "", page)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", sentences)]
    return [shlex.split(span) for span in spans if PROGRAM.match(span)]
