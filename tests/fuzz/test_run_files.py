"""Whatever became of a run's files: what is read is what was written, to the bit, or it is refused in one line.

Some 2,300 inputs, the same each time. `FUZZ_FACTOR=3 python -m pytest tests/fuzz --timeout 1800` tries three times as
many, new ones each time: with `test_configuration.py`, 13,000.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.observe.csv_log import GP_SAMPLING_LOG, TRAINING_COLUMNS, TRAINING_LOG, CsvLog
from pipeline.observe.logs import EVENT_LOG, EventLog
from pipeline.persist.checkpoint import Checkpoint, CheckpointFolder, SavedPolicy, SavedVisit
from pipeline.persist.manifest import CheckpointError, digest
from pipeline.types import Estimate, UpdateResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))


def fuzz(num_inputs: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=FACTOR * num_inputs,
        derandomize=FACTOR == 1,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def policy(workflow_id: int) -> SavedPolicy:
    generator = torch.Generator().manual_seed(workflow_id)
    names = ("actor", "critic", "adam.actor.exp_avg")
    return SavedPolicy(workflow_id, 3, 24, {name: torch.randn(5, generator=generator) for name in names})


STATE = Checkpoint(
    search={"seed": 0, "iteration": 2, "observations": [{"workflow_id": 17, "env_reward": -123.5, "stderr": 0.1}]},
    visits=(
        None,
        SavedVisit(
            {"workflow_id": 17, "ucb_score": None, "first_update": 0, "num_updates": 3},
            (torch.zeros(5), torch.ones(5)),
        ),
    ),
    policies=(policy(4), policy(17)),
    total_episodes=48,
    total_updates=6,
    log_sizes={TRAINING_LOG: 100},
)
MANIFEST, POLICY, BEHAVIOR = "manifest.json", "policy-004-000003.safetensors", "behavior-017-000003.safetensors"


def bits(checkpoint: Checkpoint) -> tuple[Any, ...]:
    """All of a checkpoint, in a form that can be compared to the bit."""
    return (
        json.dumps([checkpoint.search, checkpoint.log_sizes], sort_keys=True),
        [
            saved and (saved.visit, [weights.numpy().tobytes() for weights in saved.behavior_weights])
            for saved in checkpoint.visits
        ],
        [
            (saved.workflow_id, saved.num_updates, saved.num_episodes, name, tensor.dtype, tensor.numpy().tobytes())
            for saved in checkpoint.policies
            for name, tensor in sorted(saved.tensors.items())
        ],
        checkpoint.total_episodes,
        checkpoint.total_updates,
    )


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("run")
    (run_dir / "config.json").write_text("{}")
    CheckpointFolder(run_dir).write(STATE)
    return run_dir


def read_with(run_dir: Path, changed: dict[str, bytes]) -> Checkpoint | str | None:
    """Read the checkpoint with some files' content changed; return it, or what is told, having seen what is left."""
    folder = run_dir / "checkpoint"
    whole = {name: (folder / name).read_bytes() for name in changed}
    names = sorted(os.listdir(folder))  # noqa: PTH208  # names alone
    for name, content in changed.items():
        (folder / name).write_bytes(content)
    try:
        return CheckpointFolder(run_dir).read()
    except CheckpointError as error:
        told = str(error)
    finally:
        assert sorted(os.listdir(folder)) == names  # noqa: PTH208
        assert all((folder / name).read_bytes() == content for name, content in changed.items())
        for name, content in whole.items():
            (folder / name).write_bytes(content)
    assert told.isprintable()
    assert len(told) < 1000
    return told


Edits = list[tuple[int, int, bytes]]
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 8), st.binary(max_size=4)), min_size=1, max_size=3)


def edited(content: bytes, edits: Edits) -> bytes:
    """Change, take out and put in some bytes."""
    for place, length, put in edits:
        start = place % (len(content) + 1)
        content = content[:start] + put + content[start + length :]
    return content


@fuzz(1200)
@given(st.sampled_from([MANIFEST, MANIFEST, POLICY, BEHAVIOR]), EDITS)
def test_bytes_that_changed(run_dir: Path, name: str, edits: Edits) -> None:
    whole = (run_dir / "checkpoint" / name).read_bytes()
    outcome = read_with(run_dir, {name: edited(whole, edits)})
    assert isinstance(outcome, str) or (outcome is not None and bits(outcome) == bits(STATE))
    if name != MANIFEST and edited(whole, edits) != whole:
        assert isinstance(outcome, str)
        assert "was altered or damaged" in outcome


@fuzz(300)
@given(st.sampled_from([POLICY, BEHAVIOR]), EDITS)
@example(POLICY, [(0, 8, b"\xff" * 8)])
@example(POLICY, [(0, 8, b"\0" * 8)])
def test_tensors_whose_checksum_somebody_made_fit(run_dir: Path, name: str, edits: Edits) -> None:
    """They may be any tensors; but they are tensors, or refused."""
    folder = run_dir / "checkpoint"
    content = edited((folder / name).read_bytes(), edits)
    outcome = read_with(run_dir, {name: content, MANIFEST: fitting(folder, name, content)})
    assert outcome is not None


@pytest.mark.parametrize("dtype", ["F64", "F8_E4M3", "F8_E8M0", "F4", "BF16", "C64", "BOOL", "U64", "U16", "X", ""])
def test_numbers_of_any_kind(run_dir: Path, dtype: str) -> None:
    folder = run_dir / "checkpoint"
    content = (
        (folder / POLICY).read_bytes().replace(b'"F32"', json.dumps(dtype.ljust(3)).encode().replace(b" ", b"") or b"")
    )
    size = int.from_bytes(content[:8], "little") + len(content) - (folder / POLICY).stat().st_size
    content = size.to_bytes(8, "little") + content[8:]
    outcome = read_with(run_dir, {POLICY: content, MANIFEST: fitting(folder, POLICY, content)})
    assert outcome is not None


def fitting(folder: Path, name: str, content: bytes) -> bytes:
    """The manifest, with the checksums as they would be if a file had this content."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    for entry in [*manifest["policies"], *(visit["behavior"] for visit in manifest["visits"] if visit)]:
        if entry["file"] == name:
            entry["sha256"] = hashlib.sha256(content).hexdigest()
    return json.dumps({**manifest, "sha256": digest(manifest)}).encode()


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value within a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, inner in items for deeper in places(inner, (*path, key)))]


@fuzz(300)
@given(st.integers(0), VALUE)
def test_values_of_a_manifest_whose_checksum_somebody_made_fit(run_dir: Path, place: int, value: Any) -> None:
    manifest = json.loads((run_dir / "checkpoint" / MANIFEST).read_bytes())
    ways = [way for way in places(manifest) if way]
    *way, last = ways[place % len(ways)]
    target = manifest
    for key in way:
        target = target[key]
    target[last] = value
    content = json.dumps({**manifest, "sha256": digest(manifest)}).encode()
    outcome = read_with(run_dir, {MANIFEST: content})
    if isinstance(outcome, Checkpoint):
        assert outcome.total_episodes >= 0
        assert all(size >= 0 for size in outcome.log_sizes.values())
        assert [bits(STATE)[2]] == [bits(outcome)[2]] or "policies" in (*way, last)
    else:
        assert outcome is not None


# --- logs ---


def update(index: int) -> UpdateResult:
    return UpdateResult(
        index,
        17,
        "op_server -> user",
        4,
        4 * index,
        Estimate(-1.5, 0.25),
        *(0.5,) * 11,
        3,
        0.001,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's logs, of five updates."""
    folder = tmp_path_factory.mktemp("logs")
    for log in (CsvLog(folder), EventLog(folder)):
        for index in range(5):
            log(update(index))
        log.close()
    return folder


@fuzz(500)
@given(st.sampled_from([TRAINING_LOG, EVENT_LOG]), st.integers(0, 10**4), st.integers(0, 10**4), st.binary(max_size=9))
@example(TRAINING_LOG, 0, 0, b"")
@example(EVENT_LOG, 0, 10**12, b"\n\n")
def test_a_log_that_was_cut_anywhere_has_whole_lines(
    logs: Path, tmp_path_factory: pytest.TempPathFactory, name: str, cut: int, size: int, junk: bytes
) -> None:
    """A crash may cut a log or leave junk behind its end; the checkpoint may know of more of it, or of less."""
    whole = (logs / name).read_bytes()
    left = whole[:cut]
    run_dir = tmp_path_factory.getbasetemp()
    for other in (TRAINING_LOG, GP_SAMPLING_LOG, EVENT_LOG):
        (run_dir / other).write_bytes((logs / other).read_bytes())
    (run_dir / name).write_bytes(left + junk)
    # a checkpoint tells of no more than was written, and of whole lines
    size = whole[: min(size, len(left))].rfind(b"\n") + 1 if junk else size
    log = (CsvLog if name == TRAINING_LOG else EventLog)(
        run_dir, {TRAINING_LOG: size, EVENT_LOG: size, GP_SAMPLING_LOG: 10**6}
    )
    kept = (run_dir / name).read_bytes()
    log(update(99))
    assert log.sizes()[name] == (run_dir / name).stat().st_size
    log.close()
    lines = (run_dir / name).read_text().splitlines()
    if name == TRAINING_LOG:
        rows = list(csv.reader(io.StringIO((run_dir / name).read_text())))
        assert rows[0] == list(TRAINING_COLUMNS)
        assert {len(row) for row in rows} == {len(TRAINING_COLUMNS)}
        assert [int(row[2]) for row in rows[1:]] == [*range(len(rows) - 2), 99]
    else:
        assert [json.loads(line)["update"] for line in lines] == [*range(len(lines) - 1), 99]
    assert kept in (whole[:size][: len(kept)], whole[: whole.index(b"\n") + 1])
