"""What the site has that no file of docs/ holds: commands by their own help, examples, and the changelog."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

from pipeline.command.cli import COMMANDS
from pipeline.command.options import Parser

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
LANGUAGES = {".py": "python", ".sh": "sh", ".toml": "toml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    made = {"commands.md": _commands(), "changelog.md": (ROOT / "CHANGELOG.md").read_text()}
    for path in sorted((ROOT / "examples").iterdir()):
        if language := LANGUAGES.get(path.suffix):
            made[f"examples/{path.name}.md"] = f"# {path.name}\n\n```{language}\n{path.read_text()}```\n"
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to the examples' folder to their pages."""
    return re.sub(r"\]\((?:\.\./)((?:\.\./)?examples/[\w.]+)\)", r"](\1.md)", markdown)


def _commands() -> str:
    """Return the help of every command."""
    os.environ["COLUMNS"] = "100"
    parts = ["# Commands", "As each says itself, by `--help`."]
    for name, command in COMMANDS.items():
        parser = Parser(prog=f"run.py {name}")
        command.set_up(parser)
        parts.append(f"## {name}\n\n```text\n{parser.format_help()}```")
    return "\n\n".join(parts) + "\n"
