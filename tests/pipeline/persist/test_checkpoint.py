from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.persist.checkpoint import Checkpoint, CheckpointFolder, SavedPolicy, SavedVisit, read_latest
from pipeline.persist.files import WriteError
from pipeline.persist.latest import find_run
from pipeline.persist.manifest import CheckpointError, digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.pipeline.conftest import MakeRun


def policy(workflow_id: int, num_updates: int, size: int = 3) -> SavedPolicy:
    generator = torch.Generator().manual_seed(1000 * workflow_id + num_updates)
    tensors = {
        "actor": torch.randn(size, generator=generator),
        "critic": torch.randn(2, generator=generator),
        "adam.actor.step": torch.tensor(float(num_updates)),
    }
    return SavedPolicy(workflow_id, num_updates, 8 * num_updates, tensors)


def visit(workflow_id: int, num_updates: int, num_weights: int = 2, **rest: Any) -> SavedVisit:
    told = {**rest, "workflow_id": workflow_id, "ucb_score": None, "first_update": 0, "num_updates": num_updates}
    return SavedVisit(told, tuple(torch.full((3,), float(num_updates - age)) for age in reversed(range(num_weights))))


def checkpoint(total_updates: int, *policies: SavedPolicy) -> Checkpoint:
    return Checkpoint(
        search={"iteration": total_updates, "observations": [[17, -123.456789012345, 0.1]], "none": None},
        visits=(visit(17, total_updates), None),
        policies=policies,
        total_episodes=8 * total_updates,
        total_updates=total_updates,
        log_sizes={"training_log.csv": 100 * total_updates},
    )


@pytest.fixture(autouse=True)
def _a_run(tmp_path: Path) -> None:
    """The folder of a test is that of a run."""
    new_run(tmp_path)


def new_run(run_dir: Path) -> Path:
    run_dir.mkdir(exist_ok=True)
    (run_dir / "config.json").write_text("{}")
    return run_dir


FIRST = checkpoint(3, policy(4, 1), policy(17, 2))
SECOND = checkpoint(4, policy(4, 1), policy(17, 3))


def content(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    return {name: (t.dtype, tuple(t.shape), t.numpy().tobytes()) for name, t in tensors.items()}


def same(one: Checkpoint | None, other: Checkpoint) -> bool:
    """Whether all of it is the same, to the bit."""
    if one is None:
        return False
    plain = [dataclasses.replace(state, policies=(), visits=()) for state in (one, other)]
    visits = [
        [saved and (saved.visit, [tensor.numpy().tobytes() for tensor in saved.behavior_weights]) for saved in each]
        for each in (one.visits, other.visits)
    ]
    policies = [
        [(p.workflow_id, p.num_updates, p.num_episodes, content(p.tensors)) for p in state.policies]
        for state in (one, other)
    ]
    return plain[0] == plain[1] and visits[0] == visits[1] and policies[0] == policies[1]


def names(run_dir: Path) -> set[str]:
    return {path.name for path in (run_dir / "checkpoint").iterdir()}


def read(run_dir: Path) -> Checkpoint | None:
    return CheckpointFolder(run_dir).read()


def test_a_run_that_has_written_none_has_none(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    "state",
    [
        FIRST,
        Checkpoint({}, (None,), (), 0, 0, {}),
        dataclasses.replace(FIRST, visits=(None, None)),
        dataclasses.replace(FIRST, visits=(None, visit(17, 9, num_weights=9), visit(4, 1))),
    ],
)
def test_what_is_written_is_read(state: Checkpoint, tmp_path: Path) -> None:
    CheckpointFolder(tmp_path).write(state)
    assert same(read(tmp_path), state)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
TENSORS = st.dictionaries(
    st.from_regex(r"[a-z][a-z.]{0,20}", fullmatch=True),
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8]), arrays.array_shapes(min_dims=0, min_side=0)
    ),
    max_size=3,
)


@given(
    st.dictionaries(st.text(), JSON, max_size=4),
    st.lists(st.none() | st.tuples(st.integers(0, 10**6), st.dictionaries(st.text(), JSON, max_size=4)), max_size=3),
    st.dictionaries(st.integers(0, 119), st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), TENSORS), max_size=3),
    st.lists(arrays.arrays(np.float32, 4), max_size=9),
)
def test_anything_is_read_as_it_was_written_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory,
    search: dict[str, Any],
    visits: list[tuple[int, dict[str, Any]] | None],
    policies: dict[int, tuple[int, int, dict[str, np.ndarray[Any, Any]]]],
    weights: list[np.ndarray[Any, Any]],
) -> None:
    state = Checkpoint(
        search=search,
        visits=tuple(
            None
            if told is None
            else SavedVisit(visit(place, told[0], **told[1]).visit, tuple(torch.from_numpy(w) for w in weights))
            for place, told in enumerate(visits)
        ),
        policies=tuple(
            SavedPolicy(workflow_id, updates, episodes, {name: torch.from_numpy(t) for name, t in tensors.items()})
            for workflow_id, (updates, episodes, tensors) in sorted(policies.items())
        ),
        total_episodes=3,
        total_updates=2,
        log_sizes={"a": 1},
    )
    run_dir = new_run(tmp_path_factory.mktemp("run"))
    CheckpointFolder(run_dir).write(state)
    found = read(run_dir)
    shutil.rmtree(run_dir)
    assert same(found, state)


def test_only_what_changed_is_written_again_and_what_is_not_needed_goes(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.write(FIRST)
    assert names(tmp_path) == {
        "manifest.json",
        "policy-004-000001.safetensors",
        "policy-017-000002.safetensors",
        "behavior-017-000003.safetensors",
    }
    kept = tmp_path / "checkpoint" / "policy-004-000001.safetensors"
    inode = kept.stat().st_ino
    folder.write(SECOND)
    assert names(tmp_path) == {
        "manifest.json",
        "policy-004-000001.safetensors",
        "policy-017-000003.safetensors",
        "behavior-017-000004.safetensors",
    }
    assert kept.stat().st_ino == inode

    resumed = CheckpointFolder(tmp_path)
    assert same(resumed.read(), SECOND)
    resumed.write(dataclasses.replace(SECOND, total_episodes=99))
    assert kept.stat().st_ino == inode  # read and found good: not written again
    assert same(read(tmp_path), dataclasses.replace(SECOND, total_episodes=99))


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.write(FIRST)
    (tmp_path / "checkpoint" / "notes.txt").write_text("mine")
    folder.write(SECOND)
    assert "notes.txt" in names(tmp_path)


# --- crashes ---


class Died(BaseException):  # not an error: the end of a process
    pass


def die_at(call: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process 'die' at the n-th call that changes the disk: from there on none of them does anything."""
    calls = count()

    def dying(function: Any) -> Any:
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            if next(calls) >= call:
                raise Died
            return function(*arguments, **keywords)

        return wrapped

    for name in ("mkdir", "fsync", "replace", "unlink"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


def test_whenever_it_dies_the_old_checkpoint_is_there_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = []
    for call in count():
        run_dir = new_run(tmp_path / str(call))
        folder = CheckpointFolder(run_dir)
        folder.write(FIRST)
        try:
            with monkeypatch.context() as patched:
                die_at(call, patched)
                folder.write(SECOND)
        except Died:
            pass
        else:
            break
        # the next process
        resumed = CheckpointFolder(run_dir)
        found = resumed.read()
        assert same(found, FIRST) or same(found, SECOND)
        outcomes.append(same(found, SECOND))
        # it goes on, and clears away what its predecessor left half done
        resumed.write(SECOND)
        assert same(read(run_dir), SECOND)
        assert names(run_dir) == {
            "manifest.json",
            "policy-004-000001.safetensors",
            "policy-017-000003.safetensors",
            "behavior-017-000004.safetensors",
        }
    assert outcomes == sorted(outcomes)  # first always the old one, then always the new one
    assert {False, True} == set(outcomes)
    assert len(outcomes) >= 9


def test_whenever_the_first_write_dies_there_is_none_or_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in range(20):
        run_dir = new_run(tmp_path / str(call))
        try:
            with monkeypatch.context() as patched:
                die_at(call, patched)
                CheckpointFolder(run_dir).write(FIRST)
        except Died:
            pass
        found = read(run_dir)
        assert found is None or same(found, FIRST)
    assert found is not None


def test_whenever_the_disk_was_full_the_same_folder_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for call in count():
        folder = CheckpointFolder(tmp_path)
        folder.write(FIRST)
        calls, fsync = count(), os.fsync

        def fill(descriptor: int, call: int = call, calls: Any = calls, fsync: Any = fsync) -> None:
            if next(calls) == call:
                raise OSError(28, "No space left on device")
            fsync(descriptor)

        try:
            with monkeypatch.context() as patched:
                patched.setattr(os, "fsync", fill)
                folder.write(SECOND)
        except WriteError:
            assert same(read(tmp_path), FIRST) or same(read(tmp_path), SECOND)
            folder.write(SECOND)
            assert same(read(tmp_path), SECOND)
        else:
            break
    assert call == 6  # three files, each synced with its folder


@pytest.mark.parametrize("num_good", range(6))
def test_a_write_that_failed_gives_its_room_back(
    num_good: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the run's last attempt, or somebody else, has it."""
    folder = CheckpointFolder(tmp_path)
    folder.write(FIRST)
    before, calls, fsync = names(tmp_path), count(), os.fsync

    def fill(descriptor: int) -> None:
        if next(calls) >= num_good:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fill)
    with pytest.raises(WriteError, match="No space left on device"):
        folder.write(SECOND)
    monkeypatch.undo()
    left = names(tmp_path) - before
    if num_good in {0, 2, 4}:  # a file's content
        assert same(read(tmp_path), FIRST)
        assert left == set()
    else:  # its name, which a broken disk may or may not keep: nothing is removed that may be needed
        assert same(read(tmp_path), SECOND if num_good == 5 else FIRST)
        assert before <= names(tmp_path)
    folder.write(SECOND)
    assert same(read(tmp_path), SECOND)


def test_logs_are_on_disk_before_the_manifest_that_tells_their_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, fsync = [], os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    log = tmp_path / "training_log.csv"
    log.write_text("a line\n")
    CheckpointFolder(tmp_path).write(FIRST)
    assert synced.index("training_log.csv") < synced.index(".manifest.json.tmp")
    log.unlink()  # who removes it shall have it so
    CheckpointFolder(tmp_path).write(SECOND)


# --- a folder that changes under the run ---


def test_files_that_vanished_are_written_again(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.write(FIRST)
    shutil.rmtree(tmp_path / "checkpoint")
    folder.write(FIRST)
    assert same(read(tmp_path), FIRST)
    (tmp_path / "checkpoint" / "policy-004-000001.safetensors").unlink()
    folder.write(SECOND)
    assert same(read(tmp_path), SECOND)


def test_a_run_whose_folder_is_gone_says_so(tmp_path: Path) -> None:
    run_dir = new_run(tmp_path / "run")
    folder = CheckpointFolder(run_dir)
    run_dir.rename(tmp_path / "moved")
    with pytest.raises(WriteError, match=r"run/checkpoint: No such file or directory\. Put the run's folder back"):
        folder.write(FIRST)
    new_run(run_dir)  # another run, of the same name
    with pytest.raises(WriteError, match=r"another folder has taken the place of the run's own\. Put the run's"):
        folder.write(FIRST)
    assert [path.name for path in run_dir.iterdir()] == ["config.json"]
    (tmp_path / "moved").rename(tmp_path / "back")
    shutil.rmtree(run_dir)
    (tmp_path / "back").rename(run_dir)
    folder.write(FIRST)
    assert same(read(run_dir), FIRST)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    (tmp_path / "checkpoint").write_text("precious")
    with pytest.raises(WriteError, match="checkpoint: File exists"):
        folder.write(FIRST)
    assert (tmp_path / "checkpoint").read_text() == "precious"


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Else whoever hands over a run could have files removed elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.safetensors").write_text("precious")
    (tmp_path / "checkpoint").symlink_to(elsewhere)
    folder = CheckpointFolder(tmp_path)
    with pytest.raises(CheckpointError, match="is a symbolic link"):
        folder.read()
    with pytest.raises(WriteError, match="it is a symbolic link"):
        folder.write(FIRST)
    assert [path.name for path in elsewhere.iterdir()] == ["precious.safetensors"]


# --- damage ---


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = new_run(tmp_path_factory.mktemp("good"))
    CheckpointFolder(run_dir).write(FIRST)
    return run_dir


@pytest.fixture
def damaged(good: Path, tmp_path: Path) -> Path:
    shutil.copytree(good, tmp_path / "run")
    return tmp_path / "run"


FILES = [
    "manifest.json",
    "policy-004-000001.safetensors",
    "policy-017-000002.safetensors",
    "behavior-017-000003.safetensors",
]


@pytest.mark.parametrize("name", FILES)
def test_a_checkpoint_that_was_cut_off_is_refused(name: str, damaged: Path) -> None:
    path = damaged / "checkpoint" / name
    whole = path.read_bytes()
    for size in range(len(whole) - 1):  # without the manifest's last newline nothing is lost
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=name):
            read(damaged)


def altered(whole: bytes) -> list[bytes]:
    """One bit of each byte, from byte to byte the next one."""
    return [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(len(whole))]


@pytest.mark.parametrize("name", FILES[1:])
def test_a_file_with_one_flipped_bit_is_refused(name: str, damaged: Path) -> None:
    path = damaged / "checkpoint" / name
    for flipped in altered(path.read_bytes()):
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match=f"{name} was altered or damaged.* Restore it, or start another"):
            read(damaged)


def test_a_manifest_with_one_flipped_bit_is_refused_unless_it_means_the_same(damaged: Path) -> None:
    path = damaged / "checkpoint" / "manifest.json"
    changed = altered(path.read_bytes())
    num_same = 0
    for manifest in changed:
        path.write_bytes(manifest)
        with contextlib.suppress(CheckpointError):
            assert same(read(damaged), FIRST)
            num_same += 1
    assert num_same < 0.02 * len(changed)  # a tab for a blank, say


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_json_does_not_have_is_refused(number: str, damaged: Path) -> None:
    path = damaged / "checkpoint" / "manifest.json"
    path.write_text(path.read_text().replace("-123.456789012345", number))
    with pytest.raises(CheckpointError, match=r"manifest\.json was altered or damaged"):
        read(damaged)


@pytest.mark.parametrize("name", FILES[1:])
def test_a_file_that_is_missing(name: str, damaged: Path) -> None:
    (damaged / "checkpoint" / name).unlink()
    with pytest.raises(CheckpointError, match=f"the checkpoint lacks .*{name}: No such file or directory"):
        read(damaged)


def test_a_manifest_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "checkpoint" / "manifest.json").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["../secret.safetensors", "{root}/secret.safetensors", "..", "", "a/b", "a/../c", "."])
@pytest.mark.parametrize("entry", ["policy", "behavior"])
def test_a_file_outside_the_folder_is_never_read(name: str, entry: str, damaged: Path) -> None:
    """Whoever hands over a run must not be able to make it read other files, even ones that fit."""
    folder = damaged / "checkpoint"
    manifest = json.loads((folder / "manifest.json").read_text())
    target = manifest["policies"][0] if entry == "policy" else manifest["visits"][0]["behavior"]
    shutil.copy(folder / target["file"], damaged / "secret.safetensors")
    target["file"] = name.format(root=damaged)
    manifest["sha256"] = digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"file: String should match pattern"):
        read(damaged)


def test_what_fits_its_checksum_but_is_no_tensors(damaged: Path) -> None:
    folder = damaged / "checkpoint"
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "policy-004-000001.safetensors").write_bytes(b"junk")
    manifest["policies"][0]["sha256"] = hashlib.sha256(b"junk").hexdigest()
    manifest["sha256"] = digest(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"can't read .*policy-004-000001\.safetensors"):
        read(damaged)


def test_a_state_that_json_has_no_word_for_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.write(FIRST)
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write(dataclasses.replace(SECOND, search={"score": float("nan")}))
    assert same(read(tmp_path), FIRST)


def test_a_run_may_be_named_by_its_checkpoint(make_run: MakeRun) -> None:
    run = make_run({3: 900})
    for path in (run, run / "checkpoint", *(run / "checkpoint").iterdir()):
        assert find_run(path) == run
    named_so = make_run({3: 900}, name="checkpoint")
    assert find_run(named_so) == named_so
    assert find_run(named_so / "checkpoint") == named_so


def test_a_checkpoint_that_is_replaced_while_it_is_read(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on: what the manifest named is gone, and a new manifest has come."""
    run = make_run({3: 900})
    read = CheckpointFolder.read
    readings: list[int] = []

    def read_too_late(folder: CheckpointFolder) -> Checkpoint | None:
        readings.append(1)
        if len(readings) == 1:
            path = run / "checkpoint" / "manifest.json"
            path.with_name("new").write_bytes(path.read_bytes())
            path.with_name("new").rename(path)
            raise CheckpointError("the checkpoint lacks a file")
        return read(folder)

    monkeypatch.setattr(CheckpointFolder, "read", read_too_late)
    checkpoint = read_latest(run)
    assert checkpoint is not None
    assert [policy.workflow_id for policy in checkpoint.policies] == [3]
    assert len(readings) == 2
