"""A run's folder: one owner, nobody gets out of it, nothing in it executes, and what vanishes is told."""

from __future__ import annotations

import ast
import json
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import Config, Pipeline
from pipeline.command.cli import main
from pipeline.command.process import FAILED, OK, USAGE
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.persist.files import WriteError
from pipeline.run import parts
from pipeline.types import RunStarted, UpdateResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import DigestOf, RunPy

ROOT = Path(__file__).parents[2]
RUN: dict[str, Any] = {
    "total_episodes": 96,
    "max_episodes_per_workflow": 32,
    "episodes_per_update": 4,
    "evaluation_episodes": 4,
    "workers": 1,
    "collector": "sequential",
}


@pytest.fixture(scope="module")
def reference(digest_of: DigestOf) -> str:
    return digest_of(**RUN)


def options(log_dir: Path, **changes: object) -> list[str]:
    values = {**RUN, "log_dir": log_dir, "run_name": "run", **changes}
    return [f"--{key.replace('_', '-')}={value}" for key, value in values.items()]


# --- two runs, one folder ---


def test_a_run_that_lives_has_its_folder_to_itself(
    run_py: RunPy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alive = run_py("--verbose", **{**RUN, "total_episodes": 10**6}, log_dir=tmp_path, run_name="run")
    alive.wait_for_line("episodes: workflow")
    run_dir = tmp_path / "run"
    assert main(options(tmp_path)) == USAGE
    assert main(["resume", str(run_dir)]) == USAGE
    assert main(["resume", f"{run_dir}/../run"]) == USAGE
    (tmp_path / "link").symlink_to(run_dir)
    assert main(["resume", str(tmp_path / "link")]) == USAGE
    another, *resumed = capsys.readouterr().err.splitlines()
    assert another.startswith(f"error: can't start a run in {run_dir}: it exists already. Choose another --run-name")
    assert len(resumed) == 3
    assert all("belongs to a run that is still alive: wait for it, stop it, or choose" in line for line in resumed)
    alive.wait_for_line("episodes: workflow")  # it goes on undisturbed
    alive.terminate()
    alive.communicate(timeout=30)
    assert alive.returncode == 130
    # now that it's over
    assert CheckpointFolder(run_dir).read() is not None


# --- a folder that changes in mid-run ---


async def run_with(tmp_path: Path, disturb: Callable[[Path], object]) -> Pipeline:
    """Bring a run to a checkpoint, resume it, disturb its folder long before the next one, and see it to its end."""
    async with Pipeline(Config(**RUN, log_dir=tmp_path, run_name="run")) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, UpdateResult) and event.total_episodes > RUN["max_episodes_per_workflow"]:
                pipeline.stop()  # one workflow is done with: its policy is not written again
    pipeline = Pipeline.resume(tmp_path / "run")
    async with pipeline:
        async for event in pipeline.events():
            if isinstance(event, RunStarted):
                disturb(pipeline.run_dir)
    return pipeline


def replaced_by_another(run_dir: Path) -> None:
    run_dir.rename(run_dir.with_name("moved"))
    run_dir.mkdir()
    (run_dir / "checkpoint").mkdir()
    (run_dir / "checkpoint" / "policy-001-000001.safetensors").write_text("another run's")


def checkpoint_is_a_file(run_dir: Path) -> None:
    shutil.rmtree(run_dir / "checkpoint")
    (run_dir / "checkpoint").write_text("precious")


def checkpoint_is_a_link(run_dir: Path) -> None:
    shutil.copytree(run_dir / "checkpoint", run_dir.with_name("elsewhere"))
    shutil.rmtree(run_dir / "checkpoint")
    (run_dir / "checkpoint").symlink_to(run_dir.with_name("elsewhere"))


def read_only(run_dir: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (run_dir / "checkpoint").chmod(0o500)


@pytest.mark.parametrize(
    ("disturb", "told"),
    [
        (shutil.rmtree, "No such file or directory. Put the run's folder back, then resume"),
        (lambda run_dir: run_dir.rename(run_dir.with_name("moved")), "No such file or directory. Put the run's folder"),
        (replaced_by_another, "another folder has taken the place of the run's own. Put the run's folder back"),
        (checkpoint_is_a_file, "File exists. See that it can be written"),
        (checkpoint_is_a_link, "it is a symbolic link. See that it can be written"),
        (read_only, "Permission denied. See that it can be written"),
    ],
    ids=["removed", "moved", "replaced", "a file", "a link", "read-only"],
)
async def test_a_folder_that_can_no_longer_be_written(
    disturb: Callable[[Path], object], told: str, reference: str, tmp_path: Path
) -> None:
    found: list[dict[Path, bytes]] = []

    def disturbing(run_dir: Path) -> None:
        disturb(run_dir)
        found.append({path: path.read_bytes() for path in run_dir.rglob("checkpoint/*")})

    with pytest.raises(WriteError) as caught:
        await run_with(tmp_path, disturbing)
    assert str(caught.value).startswith(f"can't write {tmp_path / 'run' / 'checkpoint'}")
    assert told in str(caught.value)
    run_dir = tmp_path / "run"
    if disturb is not read_only:
        assert {path: path.read_bytes() for path in run_dir.rglob("checkpoint/*")} == found[
            0
        ]  # nobody else's is touched
    moved = tmp_path / "moved"
    if moved.exists():  # put it back, and it goes on
        if run_dir.exists():
            shutil.rmtree(run_dir)
        moved.rename(run_dir)
        async with Pipeline.resume(run_dir) as resumed:
            assert (await resumed.run()).digest == reference


async def test_a_checkpoint_that_vanished_is_written_again(reference: str, tmp_path: Path) -> None:
    pipeline = await run_with(tmp_path, lambda run_dir: shutil.rmtree(run_dir / "checkpoint"))
    assert (await pipeline.run()).digest == reference
    assert CheckpointFolder(tmp_path / "run").read() is not None


def test_a_folder_that_is_gone_ends_the_command_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = CheckpointFolder.write

    def removing(folder: CheckpointFolder, checkpoint: Any) -> None:
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        write(folder, checkpoint)

    monkeypatch.setattr(CheckpointFolder, "write", removing)
    assert main([*options(tmp_path), "--quiet"]) == FAILED
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"error: can't write {tmp_path / 'run' / 'checkpoint'}: No such file or directory. Put the")
    assert not list(tmp_path.iterdir())


# --- nobody gets out ---


@pytest.mark.parametrize(
    "name", ["..", ".", "../x", "a/b", "/x", ".x", "-x", "", "a\n", "a\0b", "a\\b", "~", "a" * 101]
)
def test_a_run_can_not_be_named_out_of_the_log_folder(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    assert main([*options(tmp_path / "logs", run_name=name)]) == USAGE
    err = capsys.readouterr().err
    assert err.startswith("error: --run-name ")
    assert err.removesuffix("\n").isprintable()
    assert [path.name for path in tmp_path.rglob("*")] == ["logs"]


@pytest.mark.parametrize("name", ["training_log.csv", "gp_sampling_log.csv", "events.jsonl", "summary.json", ".lock"])
def test_a_link_in_a_run_that_was_handed_over_is_not_written_through(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    assert main([*options(tmp_path, total_episodes=8), "--quiet"]) == OK
    (tmp_path / "run" / name).unlink()
    (tmp_path / "run" / name).symlink_to(victim)
    assert main(["resume", str(tmp_path / "run"), "--quiet"]) == {"summary.json": OK, ".lock": USAGE}.get(name, FAILED)
    assert victim.read_text() == "precious"
    err = capsys.readouterr().err
    assert ("symbolic links" in err) == (name != "summary.json")  # which is replaced, link and all
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["worker_faults.log", "training_log.csv", "events.jsonl", ".lock", "config.json"])
def test_nobody_waits_for_a_pipe_in_a_run_that_was_handed_over(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*options(tmp_path, total_episodes=8), "--quiet"]) == OK
    (tmp_path / "run" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "run" / name)
    assert main(["resume", str(tmp_path / "run"), "--quiet"]) in (FAILED, USAGE)
    err = capsys.readouterr().err
    assert re.search(rf"^error: can't (read|write)( to)? {tmp_path / 'run'}.*(Not a plain file|No such device)", err)
    assert err.count("\n") == 1


@pytest.mark.parametrize("kind", ["link", "pipe", "dangling"])
def test_workers_write_their_stacks_to_a_plain_file_of_the_run_or_not_at_all(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused at once by the parent; a worker that meets it later, for the folder changed, plays without."""
    victim = tmp_path / "victim"
    assert main([*options(tmp_path, total_episodes=8), "--quiet"]) == OK
    faults = tmp_path / "run" / "worker_faults.log"
    if kind == "pipe":
        os.mkfifo(faults)
    else:
        faults.symlink_to(victim)
        if kind == "link":
            victim.write_text("precious")
    assert main(["resume", str(tmp_path / "run"), "--quiet", "--collector", "executor"]) == FAILED
    assert "worker_faults.log: " in capsys.readouterr().err
    program = (
        "import faulthandler; faulthandler.disable(); from pipeline.workers.birth import become_worker;"
        f"become_worker({str(faults)!r}); assert not faulthandler.is_enabled()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert victim.exists() == (kind == "link")
    assert kind != "link" or victim.read_text() == "precious"


def test_a_link_in_the_place_of_tensorboard_s_folder_is_not_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert main([*options(tmp_path, total_episodes=8), "--tensorboard", "--quiet"]) == OK
    shutil.rmtree(tmp_path / "run" / "tensorboard")
    (tmp_path / "run" / "tensorboard").symlink_to(elsewhere)
    assert main(["resume", str(tmp_path / "run"), "--quiet"]) == FAILED
    assert "tensorboard: Not a folder of the run's own" in capsys.readouterr().err
    assert not [*elsewhere.iterdir()]


def test_a_folder_s_word_connects_to_no_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who is connected to can run code as this user: the author of the folder, perhaps."""
    assert main([*options(tmp_path, total_episodes=8), "--quiet"]) == OK
    config = tmp_path / "run" / "config.json"
    values = json.loads(config.read_text()) | {"collector": "ray", "ray_address": "198.51.100.7:6379"}
    config.write_text(json.dumps(values))
    assert main(["resume", str(tmp_path / "run")]) == USAGE
    (line,) = capsys.readouterr().err.splitlines()
    assert "give --ray-address 198.51.100.7:6379, or --collector executor to go on here" in line
    assert main(["resume", str(tmp_path / "run"), "--collector", "sequential", "--quiet"]) == OK


# --- a setup that fails leaves nothing behind ---


async def test_a_run_that_could_not_be_set_up_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(**RUN, log_dir=tmp_path, run_name="run")

    def failing(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(parts, "make_collector", failing)
        with pytest.raises(MemoryError):
            await Pipeline(config).__aenter__()
    assert not config.log_dir.joinpath("run").exists()
    async with Pipeline(config) as pipeline:
        await pipeline.run()
    assert pipeline.run_dir == tmp_path / "run"


def test_too_few_open_files_are_told_before_a_folder_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    command = [sys.executable, "run.py", *options(tmp_path, workers=200, collector="executor")]
    few = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300)),
    )
    assert few.returncode == USAGE
    assert "200 workers need 1056 open files" in few.stderr
    assert not [*tmp_path.iterdir()]
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits


def modes_of_segments() -> list[int]:
    segments = Path("/dev/shm").glob(f"c2p-{os.getpid()}-*")  # noqa: S108  # what is there is the test
    return [stat.S_IMODE(path.stat().st_mode) for path in segments]


async def test_shared_memory_is_this_users_alone(tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path)):
        modes = modes_of_segments()
    assert len(modes) >= 2
    assert set(modes) == {0o600}


# --- nothing executes ---

SOURCES = sorted(path for package in ("pipeline", "native_buffers") for path in (ROOT / package).rglob("*.py"))
EXECUTING_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "yaml", "code", "runpy"}
EXECUTING_CALLS = {"eval", "exec", "compile", "__import__"}


def test_nothing_in_the_program_executes_what_it_reads() -> None:
    """`multiprocessing` and Ray pickle between the run's own processes; the program itself does nowhere."""
    assert len(SOURCES) > 60
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names: set[str] = set()
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in EXECUTING_CALLS, f"{path}:{node.lineno}"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                call = ast.unparse(node.func)
                assert call not in {"torch.load", "os.system", "os.popen", "np.load"}, f"{path}:{node.lineno}"
                assert not [keyword for keyword in node.keywords if keyword.arg == "shell"], f"{path}:{node.lineno}"
            assert not names & EXECUTING_MODULES, f"{path}:{node.lineno}"


def test_reading_a_run_unpickles_nothing(tmp_path: Path) -> None:
    """The interpreter itself tells of every class that is unpickled."""
    found: list[object] = []
    listening = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "pickle.find_class":
            found.append(arguments)

    assert main([*options(tmp_path, total_episodes=8), "--quiet"]) == OK
    sys.addaudithook(hook)  # can't be taken away again
    assert CheckpointFolder(tmp_path / "run").read() is not None
    listening = False
    assert found == []


# --- the clock ---


def test_the_wall_clock_is_asked_for_names_ages_of_files_and_mlflow_only() -> None:
    """It may jump. What is measured or waited for goes by the monotonic clock."""
    asked = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                call = ast.unparse(node.func)
                if call in {"time.time", "time.time_ns", "time.localtime", "time.gmtime"} or (
                    node.func.attr in {"now", "utcnow", "today"} and "date" in call
                ):
                    asked.add((path.relative_to(ROOT).as_posix(), call))
    assert asked == {
        ("pipeline/persist/runs.py", "datetime.now"),
        ("pipeline/reading/glance.py", "time.time"),
        ("pipeline/observe/track/mlflow.py", "time.time_ns"),  # whose points have a time of day
    }
