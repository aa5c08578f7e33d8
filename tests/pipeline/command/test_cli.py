from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from native_buffers.errors import SegmentMissing, SharedMemoryFull
from pipeline.command import cli
from pipeline.command.cli import FAILED, INTERRUPTED, OK, USAGE, main
from pipeline.config import Config, num_cores
from pipeline.errors import PipelineError
from pipeline.numerics import cache
from pipeline.persist.runs import RunFolder
from pipeline.types import Estimate, RunFinished, TiedOrder, WorkflowFinished, WorkflowResult

ROOT = Path(__file__).parents[3]
Told = Callable[..., str]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mistake(capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command line that is a mistake; returns the one line that says so, having checked the rest."""

    def run(*arguments: str) -> str:
        before = sorted(Path().rglob("*"))
        assert main(arguments) == USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err.removesuffix("\n").isprintable()  # so it is one line
        assert sorted(Path().rglob("*")) == before
        return err.removeprefix("error: ").removesuffix("\n")

    return run


# --- mistakes that are told before anything is imported ---


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--red-agent Nobody", "--red-agent Nobody: must be 'B_lineAgent', 'RedMeanderAgent', 'SleepAgent' or 'Mixed'"),
        ("--workers 0", "--workers 0: must be greater than or equal to 1"),
        ("--workers -1", "--workers -1: must be greater than or equal to 1"),
        ("--workers x", "--workers x: must be a valid integer"),
        ("--workers", "argument --workers: expected one argument (see run.py --help)"),
        ("--workers 2 --slots 1", "1 slots can't keep 2 workers busy: give at least 2, or leave --slots out"),
        ("--workerz 2", "unknown option --workerz: did you mean --workers?"),
        ("--worker 2", "unknown option --worker: did you mean --workers?"),
        ("--nothing-like-it", "unknown option --nothing-like-it: see run.py --help"),
        ("train 2", "unexpected argument '2' (see run.py --help)"),
        ("trayn", "unknown command 'trayn': choose train, resume, evaluate or info (see run.py --help)"),
        ("--run-name a/b", "--run-name a/b: doesn't fit. Name of the run's folder"),
        ("--run-name ../a", "--run-name ../a: doesn't fit. Name of the run's folder"),
        ("--run-name /a", "--run-name /a: doesn't fit. Name of the run's folder"),
        ("--quiet --verbose", "argument --verbose: not allowed with argument --quiet (see run.py --help)"),
        ("--config none.toml", "--config none.toml: No such file or directory"),
        ("--config .", "--config .: Is a directory"),
        ("resume", "the following arguments are required: RUN (see run.py resume --help)"),
        ("resume nowhere", "nowhere is not the folder of a run: it has no config.json. Give one like logs/tuesday"),
        ("resume .", ". is not the folder of a run"),
        ("resume /dev/null", "/dev/null is not the folder of a run"),
        (
            "resume x --seed 3",
            "--seed can't change when a run is resumed, only --workers, --collector",
        ),
        ("info --workers 0", "--workers 0: must be greater than or equal to 1"),
        ("info --quiet", "unknown option --quiet"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: str, told: str, mistake: Told) -> None:
    assert mistake(*arguments.split()).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workerz = 2", "my.toml: unknown key 'workerz'; did you mean 'workers'?"),
        ("workers = []", "my.toml: workers []: must be a valid integer"),
        ("workers: 2", "--config my.toml: not valid TOML: Expected '=' after a key in a key/value pair"),
    ],
)
@pytest.mark.parametrize("command", ["train", "info"])
def test_a_mistake_in_a_file_is_told_in_one_line(command: str, text: str, told: str, mistake: Told) -> None:
    Path("my.toml").write_text(text)
    assert mistake(command, "--config", "my.toml").startswith(told)


def test_nothing_that_is_given_breaks_the_line(mistake: Told) -> None:
    assert mistake("--config", "a\nb\x1b[2J") == r"--config a\nb\x1b[2J: No such file or directory"
    assert mistake("a\nb").startswith(r"unknown command 'a\nb'")
    assert mistake("--log-dir", "/proc/\u2028") == (
        r"can't make a folder in --log-dir /proc/\u2028: No such file or directory. Choose another"
    )
    assert mistake("--log-dir", os.fsdecode(b"\xff")).endswith("must be a path in UTF-8, without NUL")


# --- mistakes that show once the run is put together ---


def test_a_log_dir_that_can_not_be_written(mistake: Told) -> None:
    Path("file").write_text("")
    told = "can't make a folder in --log-dir {}: {}. Choose another"
    assert mistake("--log-dir", "file") == told.format("file", "File exists")
    assert mistake("--log-dir", "file/logs") == told.format("file/logs", "Not a directory")
    assert mistake("--log-dir", "/proc/logs") == told.format("/proc/logs", "No such file or directory")


def test_a_run_that_exists(mistake: Told) -> None:
    RunFolder.create(Config(run_name="tuesday")).close()
    Path("logs/mine").mkdir()
    assert mistake("--run-name", "tuesday") == (
        "can't start a run in logs/tuesday: it exists already. "
        "Choose another --run-name, or go on with it (resume logs/tuesday)"
    )
    assert mistake("--run-name", "mine").endswith("Choose another --run-name, or remove it")


def test_more_than_one_mistake_is_still_one_line(mistake: Told) -> None:
    """What is merely to be noted (more workers than cores) isn't told of a run that doesn't start."""
    Path("file").write_text("")
    mistake("--workers", "1000", "--log-dir", "file")
    mistake("--workers", "1000", "--log-dir", "file", "--json-logs")


HUGE = ("--workers", "1000", "--episodes-per-task", "10000")  # 20 million slots, 128 GiB


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or shutil.disk_usage("/dev/shm").total > 100 * 2**30,  # noqa: S108
    reason="needs a /dev/shm that is smaller than what the run asks for",
)
def test_a_full_shared_memory(mistake: Told) -> None:
    told = mistake(*HUGE)
    assert told.startswith("shared memory is full: 127.6 GiB needed, ")
    assert "fewer workers" in told
    assert "mount -o remount,size=" in told


def test_tensorboard_without_its_extra(mistake: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    assert mistake("--tensorboard") == "--tensorboard needs the extra: pip install '.[tensorboard]'"


def test_a_device_that_is_not_there(mistake: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert mistake("--device", "cuda").startswith("--device cuda: ")


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("config.json", "{", "can't read run/config.json: Expecting property name"),
        ("config.json", "[]", "can't read run/config.json: "),
        ("config.json", '{"workerz": 2}', "can't read run/config.json: workerz: Extra inputs are not permitted"),
        ("checkpoint/manifest.json", "{", "can't read run/checkpoint/manifest.json: "),
        ("checkpoint/manifest.json", '{"format": 0}', "run/checkpoint/manifest.json is not a checkpoint of format 1"),
        ("checkpoint/manifest.json", '{"format": 1}', "run/checkpoint/manifest.json was altered or damaged"),
    ],
)
def test_a_damaged_run_is_not_resumed(file: str, content: str, told: str, mistake: Told) -> None:
    RunFolder.create(Config(log_dir=Path(), run_name="run")).close()
    path = Path("run", file)
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert mistake("resume", "run").startswith(told)


def test_a_run_is_not_resumed_while_it_is_alive(mistake: Told) -> None:
    folder = RunFolder.create(Config(log_dir=Path(), run_name="run"))
    assert mistake("resume", "run").startswith("run belongs to a run that is still alive: wait for it, stop it, or")
    folder.close()


def test_a_run_is_not_resumed_with_too_few_slots(mistake: Told) -> None:
    RunFolder.create(Config(log_dir=Path(), run_name="run", slots=4, workers=2)).close()
    assert mistake("resume", "run", "--workers", "5").startswith("4 slots can't keep 5 workers busy")
    assert mistake("resume", "run", "--slots", "0").startswith("--slots 0: must be")


# --- exit codes ---


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (SharedMemoryFull(3, 2, 2), USAGE, "error: shared memory is full"),
        (SegmentMissing("x"), FAILED, "error: there is no shared memory segment 'x'"),
        (PipelineError("an episode failed:\n  trace"), FAILED, "error: an episode failed:\n  trace\n"),
        (OSError(28, "No space left on device"), FAILED, "error: [Errno 28] No space left on device\n"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
    ],
)
def test_the_exit_code_says_whose_fault_it_is(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Config) -> None:
        raise error

    monkeypatch.setattr("pipeline.command.info.print_info", fail)
    assert main(["info"]) == code
    assert capsys.readouterr().err.startswith(told)


def run_py(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, str(ROOT / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_comes_at_once(tmp_path: Path) -> None:
    done = run_py("--help", python=("-X", "importtime"))
    assert done.returncode == OK
    assert done.stdout.startswith("usage: run.py [train] [OPTION ...]\n       run.py resume RUN [OPTION ...]\n")
    for name in Config.model_fields:
        assert f"--{name.replace('_', '-')}" in done.stdout
    for text in ("commands:", "examples:", "Ctrl-C", "[0.95]", "--json-logs"):
        assert text in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"torch", "numba", "rich", "structlog", "csle_cyborg", "gpytorch", "uvloop"}
    assert not list(tmp_path.iterdir())


def test_a_mistake_costs_no_time_and_no_traceback(tmp_path: Path) -> None:
    done = run_py("--red-agent", "Nobody", python=("-X", "importtime"))
    *imports, told = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert told == "error: --red-agent Nobody: must be 'B_lineAgent', 'RedMeanderAgent', 'SleepAgent' or 'Mixed'"
    assert not [line for line in imports if line.rpartition("|")[2].strip() in {"torch", "numba"}]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments", [["-h"], ["train", "--help"], ["resume", "-h"], ["evaluate", "-h"], ["info", "--help"]]
)
def test_every_command_has_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == OK
    assert "usage: run.py" in capsys.readouterr().out


def test_info_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--workers", "100", "--log-dir", "there"]) == OK
    assert "workers         100, " in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


# --- what is told beside ---


def test_notes_say_what_will_not_help() -> None:
    cores = num_cores()
    shared = Config(workers=cores, episodes_per_update=1000, policy="shared", patience=9, warm_start=True)
    assert list(cli._notes(shared)) == [
        "with --policy shared the policy has all episodes: --patience, --warm-start not used"
    ]
    assert list(cli._notes(Config(workers=cores, episodes_per_update=1000))) == []
    assert list(cli._notes(Config(workers=cores + 1, episodes_per_update=1000))) == [
        f"{cores + 1} workers on {cores} cores: that works, but is no faster than {cores}"
    ]
    assert list(cli._notes(Config(workers=1000, episodes_per_update=10)))[-1] == (
        "at most 20 of 1000 workers can be busy: raise --episodes-per-update to use them all"
    )


def test_a_note_says_that_machine_code_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "why_not_kept", lambda: "machine code is compiled anew at every start")
    assert list(cli._notes(Config(workers=1))) == ["machine code is compiled anew at every start"]


def test_notes_are_json_among_json(capsys: pytest.CaptureFixture[str]) -> None:
    cli._noter(argparse.Namespace(json_logs=True))("two\nlines")
    cli._noter(argparse.Namespace(json_logs=False))("plain")
    told, plain = capsys.readouterr().err.splitlines()
    assert json.loads(told)["text"] == "two\nlines"
    assert plain == "note: plain"


@pytest.mark.parametrize(
    ("program", "folder", "command"),
    [
        ("run.py", "logs/tuesday", "python run.py resume logs/tuesday"),
        ("../a b/run.py", "my logs/it's", """python '../a b/run.py' resume 'my logs/it'"'"'s'"""),
        ("/usr/bin/cage2-pipeline", "logs/tuesday", "cage2-pipeline resume logs/tuesday"),
    ],
)
def test_the_command_that_goes_on_can_be_pasted(
    program: str, folder: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "--workers", "2"])
    assert cli._resume_command(SimpleNamespace(run_dir=Path(folder))) == command  # type: ignore[arg-type]


FINISHED: dict[str, Any] = {
    "digest": "abc",
    "profile": "head",
    "reason": "budget",
    "episodes": 40,
    "updates": 5,
    "wall_s": 2.0,
    "episodes_per_s": 20.0,
    "best_workflow": "user -> defender",
    "best_env_reward": -12.34,
    "best_env_reward_stderr": 0.5,
    "num_observed": 40,
    "too_few_observed": False,
    "tied_with_best": (
        TiedOrder("user -> defender", 0.9, observed=True),
        TiedOrder("defender -> user", 0.4, observed=False),
    ),
    "pairs": (),
    "settling": None,
}
NOTHING_FOUND = {
    "best_workflow": None,
    "best_env_reward": None,
    "best_env_reward_stderr": None,
    "num_observed": 0,
    "too_few_observed": True,
    "tied_with_best": (),
    "reason": "stopped",
}


@pytest.mark.parametrize("folder", ["logs/tuesday", "[/red]", "[bold]x", f"logs/{'long' * 60}"])
def test_the_summary_says_what_was_found_and_where_it_lies(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    run: Any = SimpleNamespace(run_dir=Path(folder), config=Config())
    cli._print_summary(run, RunFinished(**FINISHED), None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("done (the episode budget is used): 40 episodes, 5 updates, 2.0 s, 20.0 episodes/s")
    assert lines[1] == "best workflow: user -> defender, env reward -12.3 ± 0.5"
    assert " 40%  defender -> user (not trained to it)" in lines[4]
    assert lines[-2:] == ["digest: abc", f"record: {folder}"]

    cli._print_summary(run, RunFinished(**{**FINISHED, **NOTHING_FOUND}), None)
    lines = capsys.readouterr().out.splitlines()
    assert "none yet" in lines[1]
    assert "threshold of 0.95" in lines[1]
    assert lines[-1].startswith("go on with: ")


def test_the_summary_of_one_order_alone_says_what_it_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    order = "op_server -> defender -> enterprise -> op_host -> user"
    result = WorkflowResult(
        57,
        Estimate(-20.25, 0.5),
        0.75,
        640,
        reached_threshold=False,
        reason="budget",
        num_evaluated=200,
        greedy_env_reward=Estimate(-18.75, 0.25),
        greedy_compliance=0.5,
    )
    run: Any = SimpleNamespace(run_dir=Path("logs/one"), config=Config(workflow=order))
    visit = WorkflowFinished(0, order, float("nan"), result, gp_updated=False)
    cli._print_summary(run, RunFinished(**{**FINISHED, **NOTHING_FOUND}), visit)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        f"last evaluated: {order}, 200 fresh episodes: env reward -20.2 ± 0.5, compliance 0.75 "
        "(greedy -18.8 ± 0.2, 0.50)"
    )
    assert "the one that was trained does not reach" in lines[2]


@pytest.fixture
async def signals() -> AsyncIterator[SimpleNamespace]:
    """A run that is told of signals, and what it and the user heard; SIGHUP is ignored, as `nohup` has it."""
    heard = SimpleNamespace(stops=[], told=[], woken=asyncio.Event())

    def stop(*, now: bool) -> None:
        heard.stops.append(now)
        heard.woken.set()

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run: Any = SimpleNamespace(stop=stop)
    cli.handle_signals(run, heard.told.append)
    yield heard
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().remove_signal_handler(number)
    signal.signal(signal.SIGHUP, before)


async def test_the_first_signal_stops_in_time_and_further_ones_at_once(signals: SimpleNamespace) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        assert signal.getsignal(number) not in {signal.SIG_DFL, signal.default_int_handler}
        signals.woken.clear()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(signals.woken.wait(), 10)
    assert signals.stops == [False, True, True]
    assert signals.told == ["stopping after the update in progress; once more stops at once"]


async def test_a_hangup_that_is_ignored_stays_so(signals: SimpleNamespace) -> None:
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert signals.stops == []
