from __future__ import annotations

import json
import struct
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK, _HEADER = 32768, 7


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As nobody who is logged in."""
    pytest.importorskip("wandb")  # here, for it takes seconds of each process that collects tests
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def records(content: bytes) -> Iterator[bytes]:
    """Yield the records of one of W&B's files: 7 bytes of a header, then LevelDB's log format."""
    at, record = 7, b""
    while at < len(content):
        room = _BLOCK - at % _BLOCK
        if room < _HEADER:
            at += room
            continue
        _, size, kind = struct.unpack_from("<IHB", content.ljust(at + _HEADER, b"\0"), at)
        if at + _HEADER + size > len(content):  # it is being written
            return
        record += content[at + _HEADER : at + _HEADER + size]
        at += _HEADER + size
        if kind in (1, 4):  # whole, or the last of its parts
            yield record
            record = b""


def kept(run_dir: Path) -> tuple[set[str], dict[str, Any], list[dict[str, float]]]:
    """Return the ids, the configuration and the points that `wandb sync` would send."""
    from wandb.proto import wandb_internal_pb2

    ids, configuration, points = set(), {}, []
    for file in sorted((run_dir / "wandb").glob("offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns):
        for data in records(file.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            if record.WhichOneof("record_type") == "run":
                ids.add(record.run.run_id)
                configuration |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            elif record.WhichOneof("record_type") == "history":
                values = {".".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
                points.append({name: json.loads(value) for name, value in values.items() if name[0] != "_"})
    return ids, configuration, points


def test_where_nobody_is_logged_in_points_are_kept_and_a_resumed_run_doubles_none(tmp_path: Path) -> None:
    from pipeline.observe.track.wandb import WandbTracker

    run_dir = tmp_path / "run"
    run_dir.mkdir()
    tracker = WandbTracker(run_dir, {"seed": 5})
    for total in (32, 64, 96):
        tracker.log({"episode/compliance": total / 128}, total)
    tracker.close()
    resumed = WandbTracker(run_dir, {"seed": 5})
    for total in (64, 96, 128):
        resumed.log({"episode/compliance": total / 128}, total)
    resumed.close()

    ids, configuration, points = kept(run_dir)
    deadline_s = time.monotonic() + 60
    while len(points) < 4 and time.monotonic() < deadline_s:  # W&B's own process writes on when `finish` has returned
        time.sleep(0.01)
        ids, configuration, points = kept(run_dir)
    assert len(ids) == 1
    assert configuration["seed"] == 5
    assert points == [{"episodes": total, "episode/compliance": total / 128} for total in (32, 64, 96, 128)]
