"""The folder of an exported agent: made whole under another name, checked, then put in its place."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.export import card
from pipeline.export.check import NUM_STEPS, AgentDiffersError, agent_in, num_differing
from pipeline.export.form import exported
from pipeline.export.names import require_packages
from pipeline.export.room import ExportFolderError, require_room

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.evaluate.report import Report
    from pipeline.evaluate.trained import Trained
    from pipeline.export.names import Form


@dataclass(frozen=True, slots=True)
class Written:
    """What came of an export."""

    files: tuple[str, ...]
    num_checked: int
    """Steps in which its actions were compared with those of the run's policy; none was different."""


def export(trained: Trained, report: Report, form: Form, folder: Path) -> Written:
    """Write an agent that stands by itself, with its card.

    Args:
        trained: The policy.
        report: Its evaluation, greedy.
        form: What it is to need.
        folder: Where; made, with those that it lies in.

    Raises:
        ExportFolderError: The folder isn't empty, or can't be written.
        NotInstalledError: What writes or checks this form isn't installed.
        NoSourceError: This installation has no source text.
        AgentDiffersError: The agent doesn't play as the policy does. Nothing is written.
    """
    require_room(folder)
    require_packages(form)
    made = exported(trained, form, card.facts(report, trained.config))
    with ExitStack() as undo:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
            draft.mkdir()
            undo.callback(shutil.rmtree, draft, ignore_errors=True)
            for name, content in made.files.items():
                (draft / name).write_bytes(content)
            differing = num_differing(trained, agent_in(draft), NUM_STEPS)
            if differing:
                raise AgentDiffersError(
                    f"{differing} of {NUM_STEPS:,} actions are not those of {trained.run_dir}: nothing is written"
                )
            told = {"num_checked": NUM_STEPS, "num_differing": differing}
            (draft / "README.md").write_text(card.readme(report, trained.config, made, **told), encoding="utf-8")
            described = card.card(report, trained.config, form, made, **told)
            (draft / "card.json").write_text(json.dumps(described, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            draft.rename(folder)
        except OSError as error:
            where = "" if error.filename is None else f"{error.filename}: "
            raise ExportFolderError(f"can't write to --to {str(folder)!r:.200}: {where}{error.strerror}") from None
        undo.pop_all()
    return Written((*made.files, "README.md", "card.json"), NUM_STEPS)
