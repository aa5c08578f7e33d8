from __future__ import annotations

import faulthandler
from typing import TYPE_CHECKING

from pipeline.defenders import forms
from pipeline.evaluate.stacks import stack_in

if TYPE_CHECKING:
    from pathlib import Path


def test_a_stack_ends_where_this_project_begins(tmp_path: Path) -> None:
    file = tmp_path / "faults.log"

    def agent(_: object) -> int:
        with file.open("a") as stream:
            stream.write('Thread 0x1 (most recent call first):\n  File "other.py", line 1 in waiting\n\n')
            stream.flush()
            faulthandler.dump_traceback(stream, all_threads=False)
            stream.flush()
        return 0

    for _ in range(2):  # the last one counts
        forms.made(agent, greedy=False).defender.act(None, None)  # type: ignore[arg-type]
    text = file.read_text().replace("Stack (most", "Current thread 0x2 (most")
    file.write_text(text + "\nExtension modules: numpy (total: 1)\n")
    lines = stack_in(file).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f'  File "{__file__}", line ')
    assert lines[0].endswith(" in agent")


def test_where_nothing_was_written_there_is_none(tmp_path: Path) -> None:
    assert stack_in(tmp_path / "none.log") == ""
    (tmp_path / "empty.log").write_text("")
    assert stack_in(tmp_path / "empty.log") == ""
