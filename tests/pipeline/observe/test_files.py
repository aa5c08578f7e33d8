"""docs/files.md explains every file of a run and every name in it, and nothing that isn't there."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.command.cli import main
from pipeline.command.process import OK
from pipeline.config import Config
from pipeline.observe.logs import event_fields, event_name
from pipeline.types import EpisodesCollected

if TYPE_CHECKING:
    from pipeline.types import Event

SECTIONS = re.split("^## ", (Path(__file__).parents[3] / "docs" / "files.md").read_text(), flags=re.MULTILINE)
RUN = (
    *("--collector=sequential", "--total-episodes=16", "--episodes-per-update=8", "--max-episodes-per-workflow=8"),
    *(
        "--compliance-threshold=0",
        "--evaluation-episodes=2",
        "--tensorboard",
        "--quiet",
        "--run-name=run",
        "--finals-share=0",
    ),
)


def explained(section: str) -> list[str]:
    """Return what the first column of a section's table names."""
    (text,) = [text for text in SECTIONS if text.startswith(section)]
    return [name for cell in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall("`(.+?)`", cell)]


def names(value: Any) -> set[str]:
    """Return the keys of an object and of those in it."""
    if not isinstance(value, dict):
        return set()
    return value.keys() | {name for inner in value.values() for name in names(inner)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    assert main((*RUN, "--log-dir", str(folder))) == OK
    return folder / "run"


def test_every_file_is_named(run: Path) -> None:
    files = explained("# The files of a run")
    there = {f"{path.name}/" if path.is_dir() else path.name for path in run.iterdir()}
    others = {"wandb/", "mlflow/"}  # trackers that take seconds to import: observe/track has tests of their own
    assert there | {"worker_faults.log"} | others == set(files)  # the first is there only if a worker failed
    assert len(files) == len(set(files))


@pytest.mark.parametrize("name", ["training_log.csv", "gp_sampling_log.csv"])
def test_every_column_is_explained_in_its_place(name: str, run: Path) -> None:
    columns, *rows = csv.reader((run / name).read_text().splitlines())
    assert len(rows) == 2
    assert explained(name) == columns


@pytest.mark.parametrize("name", ["machine.json", "checkpoint/manifest.json"])
def test_every_key_is_explained(name: str, run: Path) -> None:
    assert set(explained(name)) == json.loads((run / name).read_text()).keys()


def test_every_key_of_the_configuration_is_an_option(run: Path) -> None:
    assert json.loads((run / "config.json").read_text()).keys() == Config.model_fields.keys()


def test_every_name_of_an_event_and_of_the_summary_is_explained(run: Path, events: list[Event]) -> None:
    summary = json.loads((run / "summary.json").read_text())
    told = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    recorded = [event for event in events if not isinstance(event, EpisodesCollected)]  # of each kind there is one
    assert {each["event"] for each in told} <= {event_name(event) for event in recorded}
    fields = {name for event in recorded for name in event_fields(event)}
    assert {name for each in told for name in each} - {"event", "level", "timestamp"} <= fields
    written = fields | summary.keys() | names(summary["settling"]) | names(summary["best_score"])
    assert sorted(explained("events.jsonl and summary.json")) == sorted(written)
    (text,) = [text for text in SECTIONS if text.startswith("events.jsonl")]
    for event in recorded:
        assert f"`{event_name(event)}`" in text
    nested = [*summary["tied_with_best"], *summary["pairs"], dict.fromkeys(summary["seconds"])]
    for name in set().union(*nested):
        assert f"`{name}`" in text
