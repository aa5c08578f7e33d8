from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from pipeline.watch.beside import page_beside, page_of

if TYPE_CHECKING:
    from tests.pipeline.watch.conftest import Writer

ROOT = Path(__file__).parents[3]
PARENT = """
import sys
from pathlib import Path
from pipeline.watch.beside import ALL_COMPARED, page_beside
with page_beside(Path(sys.argv[1]).parent, ALL_COMPARED) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


def test_the_page_is_there_as_long_as_the_context(writer: Writer) -> None:
    writer.start()
    with page_beside(writer.run_dir.parent, page_of(writer.run_dir)) as address:
        assert address.endswith("#now/run")
        with httpx.Client(timeout=60) as client:  # it is asked before it has started: the socket listens already
            assert client.get(address).status_code == 200
            assert [row["name"] for row in client.get(httpx.URL(address).join("/api/runs")).json()] == ["run"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_process_that_it_is_beside(how: signal.Signals, writer: Writer) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(writer.run_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with parent:
        assert parent.stdout is not None
        address = parent.stdout.readline().decode().strip()
        assert httpx.get(address, timeout=60).status_code == 200
        parent.send_signal(how)
    for _ in range(600):
        try:
            httpx.get(address, timeout=1)
        except (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError):
            break
    else:
        pytest.fail("the page outlived its run")


@pytest.mark.timeout(300)
def test_a_run_tells_its_page_which_ends_with_it(tmp_path: Path) -> None:
    options = ["--workers=1", "--total-episodes=64", "--finals-share=0", "--evaluation-episodes=2"]
    command = [sys.executable, str(ROOT / "run.py"), *options, f"--log-dir={tmp_path}", "--run-name=run"]
    process = subprocess.Popen([*command, "--watch", "--quiet"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        first = process.stderr.readline().strip()
        address = first.removeprefix("note: page: ")
        assert address.endswith("#now/run")
        with httpx.Client(timeout=60) as client:
            assert client.get(address).status_code == 200
            told = client.get(httpx.URL(address).join("/api/runs")).json()
        assert [(row["name"], row["budget"]) for row in told] == [("run", 64)]
        assert process.wait(200) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
