from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.persist.manifest import CheckpointError, File, Manifest, PolicyFile, VisitEntry, digest, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION: dict[str, Any] = {"seed": 0, "gp_beta": 2.0, "red_agent": "SleepAgent"}
MANIFEST = Manifest(
    configuration=CONFIGURATION,
    search={"iteration": 3, "observations": [[17, -123.456789012345, 0.1]]},
    visits=[
        VisitEntry(visit={"ucb_score": None}, behavior=File(file="behavior-017-000003.safetensors", sha256="b")),
        None,
    ],
    policies=[
        PolicyFile(file="policy-017-000003.safetensors", sha256="p", workflow_id=17, num_updates=3, num_episodes=24)
    ],
    total_episodes=24,
    total_updates=3,
    log_sizes={"training_log.csv": 100},
)


def played_with(file: str) -> dict[str, Any]:
    return {"visit": {}, "behavior": {"file": file, "sha256": ""}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    MANIFEST.write(path)
    return path


def rewrite(path: Path, **changes: Any) -> None:
    """Change values, and make the checksum fit."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({**content, "sha256": digest(content)}))


def test_what_is_written_is_read(path: Path) -> None:
    assert read_manifest(path, CONFIGURATION) == MANIFEST
    assert MANIFEST.file_names == {"behavior-017-000003.safetensors", "policy-017-000003.safetensors"}
    assert read_manifest(path.with_name("none"), CONFIGURATION) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "can't read .*manifest.json: Expecting value.* Restore it, or start another run"),
        (b"\xff", "can't read .*manifest.json: 'utf-8' codec"),
        (b"[]", "is not a checkpoint of format 2: go on with the version that wrote it"),
        (b"{}", "is not a checkpoint of format 2"),
        (b'{"format": 9}', "is not a checkpoint of format 2"),
        (b'{"format": 2}', "was altered or damaged"),
        (b"[" * 100_000, "can't read .*manifest.json: nested too deeply"),
        (b'{"format": 2, "visit": ' + b"[" * 400 + b"]" * 400 + b"}", "was altered or damaged|can't read"),
    ],
)
def test_what_is_no_manifest(content: bytes, told: str, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=told):
        read_manifest(path, CONFIGURATION)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 3}, "there seed is 0, in the run's config.json 3. Put back what was changed, or start another run"),
        ({"gp_beta": 2.0000000000000004}, "there gp_beta is 2.0, in the run's config.json 2.0000000000000004"),
        ({"red_agent": "B\x1b[2J"}, r"there red_agent is SleepAgent, in the run's config\.json B\\x1b\[2J\. "),
        ({"actions": "merged"}, "there actions is None, in the run's config.json merged"),
        ({"later": 1}, "there later is None, in the run's config.json 1"),
    ],
)
def test_a_checkpoint_of_another_configuration(change: dict[str, Any], told: str, path: Path) -> None:
    with pytest.raises(CheckpointError, match=told):
        read_manifest(path, {**CONFIGURATION, **change})


def budgets(*episodes: int) -> dict[str, Any]:
    """The configuration of a run that was given so many, one after the other."""
    return {**CONFIGURATION, "total_episodes": episodes[-1], "earlier_budgets": list(episodes[:-1])}


@pytest.mark.parametrize("later", [(100,), (100, 200), (100, 200, 300)])
def test_a_checkpoint_of_an_earlier_budget_of_the_same_run(later: tuple[int, ...], path: Path) -> None:
    rewrite(path, configuration=budgets(100))
    assert read_manifest(path, budgets(*later)) is not None
    rewrite(path, configuration={**budgets(100), "seed": 1})
    with pytest.raises(CheckpointError, match="there seed is 1"):
        read_manifest(path, budgets(*later))


@pytest.mark.parametrize(
    ("theirs", "ours"), [((100,), (200,)), ((100, 200), (100,)), ((50,), (100, 200)), ((50, 100), (100, 200))]
)
def test_a_checkpoint_of_other_budgets(theirs: tuple[int, ...], ours: tuple[int, ...], path: Path) -> None:
    rewrite(path, configuration=budgets(*theirs))
    with pytest.raises(CheckpointError, match=r"there (earlier_budgets|total_episodes) is "):
        read_manifest(path, budgets(*ours))


def test_a_configuration_that_has_less(path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there gp_beta is 2\.0, in the run's config\.json None"):
        read_manifest(path, {"seed": 0, "red_agent": "SleepAgent"})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"later": 1}, "later: Extra inputs are not permitted. Go on with the version that wrote it"),
        ({"a\nb": 1}, r"a\\nb: Extra inputs are not permitted"),
        ({"policies": None}, "policies: Input should be a valid list"),
        ({"total_episodes": -1}, "total_episodes: Input should be greater than or equal to 0"),
        ({"total_updates": True}, "total_updates: Input should be a valid integer"),
        ({"log_sizes": {"training_log.csv": "9"}}, r"log_sizes\.training_log\.csv: Input should be a valid integer"),
        ({"visits": [played_with("/etc/passwd")]}, r"visits\.0\.behavior\.file: String should match pattern"),
        ({"visits": [played_with("policy-1.safetensors\n")]}, r"visits\.0\.behavior\.file: String should match"),
        ({"configuration": {}}, "is of another configuration"),
    ],
)
def test_values_that_do_not_fit_though_their_checksum_does(change: dict[str, Any], told: str, path: Path) -> None:
    rewrite(path, **change)
    with pytest.raises(CheckpointError, match=told):
        read_manifest(path, CONFIGURATION)
