from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from pipeline.command.cli import main
from pipeline.experiment.folder import EXPERIMENT
from pipeline.tuning.folder import TUNING

if TYPE_CHECKING:
    from tests.pipeline.command.conftest import Mistake
    from tests.pipeline.conftest import EndedRun

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--port 0", "--port 0: must be a whole number from 1 to 65535"),
        ("--port 65536", "--port 65536: must be"),
        ("--port x", "--port x: must be"),
        ("--port \u0663", "--port \u0663: must be"),
        ("nowhere", "nowhere is not the folder of a run. Give one like logs/tuesday"),
        ("--prot 3", "unknown option --prot: did you mean --port?"),
    ],
)
def test_mistakes(arguments: str, told: str, mistake: Mistake) -> None:
    assert mistake("watch", *arguments.split()).startswith(told)


@pytest.mark.parametrize(
    "arguments", [("watch",), ("--watch",), ("experiment", "--watch"), ("tune", "--watch")], ids=" ".join
)
def test_a_missing_extra_is_told_before_anything_starts(
    arguments: tuple[str, ...], mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # as if it were not installed
    assert mistake(*arguments) == "the page needs uvicorn: pip install 'cage2-pipeline[watch]'"


def test_help_imports_nothing_that_takes_time(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; from pipeline.command.cli import main\n"
        "try: main(['watch', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'numpy', 'torch', 'starlette', 'uvicorn'} & sys.modules.keys()"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "--no-browser" in result.stdout
    with pytest.raises(SystemExit):
        main(["watch", "--help"])
    assert "--no-browser" in capsys.readouterr().out


def test_the_address_is_printed_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "run.py"), "watch", "--no-browser", f"--log-dir={tmp_path}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert httpx.get(address, timeout=60).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


@pytest.mark.parametrize("file", [EXPERIMENT, TUNING])
def test_an_experiment_or_a_search_stands_for_its_runs(file: str, ended_run: EndedRun, tmp_path: Path) -> None:
    for seed in range(2):
        ended_run(f"a-seed{seed}", -14.0, seed=seed)
    (tmp_path / file).write_text("")
    command = [sys.executable, str(ROOT / "run.py"), "watch", str(tmp_path), "--no-browser"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with process, httpx.Client(timeout=60, follow_redirects=True) as client:
        assert process.stdout is not None
        address = httpx.URL(process.stdout.readline().strip())
        assert address.fragment == "compare/*"
        client.get(address)
        runs = client.get(address.copy_with(path="/api/runs", query=None)).json()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert "a-seed0" in str(runs)
    assert "a-seed1" in str(runs)
