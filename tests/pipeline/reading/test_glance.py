from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from pipeline.observe.csv_log import TRAINING_LOG
from pipeline.observe.logs import EVENT_LOG
from pipeline.persist.runs import RunFolder
from pipeline.reading.glance import Glances, glance
from pipeline.reading.owner import locked_files
from tests.pipeline.reading.conftest import BEGAN_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.reading.conftest import Writer


def test_a_run_goes_on_as_long_as_its_folder_is_owned(writer: Writer, finish: Callable[..., None]) -> None:
    writer.start()
    writer.update(3)
    folder = RunFolder(writer.run_dir)
    seen = glance(writer.run_dir, locked_files())
    assert (seen.state, seen.episodes) == ("running", 32)
    assert seen.began_s == BEGAN_S
    finish()
    assert glance(writer.run_dir, locked_files()).state == "running"  # it has yet to close its files
    folder.close()
    assert glance(writer.run_dir, locked_files()).state == "finished"


@pytest.mark.parametrize(
    ("reason", "state"),
    [("budget", "finished"), ("exhausted", "finished"), ("stopped", "stopped"), ("new", "finished")],
)
def test_a_run_that_wrote_its_end(reason: str, state: str, writer: Writer, finish: Callable[..., None]) -> None:
    writer.start()
    finish(reason=reason, digest="abc")
    seen = glance(writer.run_dir, locked_files())
    assert seen.state == state
    assert seen.finished is not None
    assert seen.finished["digest"] == "abc"


def test_a_run_without_an_owner_or_an_end_has_crashed(writer: Writer) -> None:
    writer.start()
    writer.update(3)
    with (writer.run_dir / EVENT_LOG).open("a") as file:
        file.write('{"event": "run_fini')  # killed while it wrote
    seen = glance(writer.run_dir, locked_files())
    assert seen.state == "crashed"
    assert "resume" in seen.why


def test_where_locks_are_unknown_a_run_goes_on_if_it_wrote_lately(writer: Writer) -> None:
    writer.start()
    assert glance(writer.run_dir, None).state == "running"
    long_ago = time.time() - 3600
    for path in writer.run_dir.iterdir():
        os.utime(path, (long_ago, long_ago))
    seen = glance(writer.run_dir, None)
    assert seen.state == "crashed"
    assert seen.last_s == pytest.approx(long_ago)


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("config.json", b"{", "can't read"),
        ("config.json", b'{"seed": "<img>"}', "seed"),
        ("config.json", b" " * (2 << 20), "too large"),
        ("config.json", None, "not the folder of a run|can't be read"),
        (EVENT_LOG, b"garbage\n", "no events"),
    ],
)
def test_damage_is_said(file: str, content: bytes | None, why: str, writer: Writer) -> None:
    writer.start()
    writer.update(3)
    if content is None:
        (writer.run_dir / file).unlink()
    else:
        (writer.run_dir / file).write_bytes(content)
    seen = glance(writer.run_dir, locked_files())
    assert seen.state == "damaged"
    assert any(each in seen.why for each in why.split("|"))
    assert seen.episodes == 32


def test_links_in_the_place_of_files_are_not_followed(writer: Writer) -> None:
    writer.start()
    writer.update(3)
    for name in (EVENT_LOG, TRAINING_LOG, "config.json"):
        path = writer.run_dir / name
        path.rename(writer.run_dir.parent / name)
        path.symlink_to(writer.run_dir.parent / name)
    seen = glance(writer.run_dir, locked_files())
    assert (seen.state, seen.config, seen.episodes, seen.began_s) == ("damaged", None, 0, None)


def test_a_run_is_looked_at_again_when_something_of_it_has_changed(writer: Writer, finish: Callable[..., None]) -> None:
    writer.start()
    glances = Glances()
    (first,) = glances.at([writer.run_dir])
    assert glances.at([writer.run_dir]) == [first]
    assert glances.at([writer.run_dir])[0] is first
    folder = RunFolder(writer.run_dir)
    assert glances.at([writer.run_dir])[0].state == "running"
    writer.update(3)
    assert glances.at([writer.run_dir])[0].episodes == 32
    folder.close()
    finish()
    assert [each.state for each in glances.at([writer.run_dir, writer.run_dir.parent])] == ["finished", "damaged"]


def test_an_empty_folder_of_a_run(writer: Writer) -> None:
    seen = glance(writer.run_dir, locked_files())
    assert (seen.state, seen.episodes, seen.finished) == ("crashed", 0, None)
