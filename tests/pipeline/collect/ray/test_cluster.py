"""Joining what is there, or not there; what is started and ended is tested with the collector."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from pipeline.collect.ray import cluster as ray_cluster
from pipeline.collect.ray.errors import RayUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("ray", reason="an extra: pip install '.[ray]'")


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that accepts connections and never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        yield silent.getsockname()[1]


def test_nobody_at_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(RayUnreachableError, match=rf"at {address}: .*refused\. .*`ray start --head --port=6379`"):
            ray_cluster._rehearse(address)


@pytest.mark.parametrize("address", ["no-such-host.invalid:6379", "127.0.0.1:99999"])
def test_no_such_address(address: str) -> None:
    with pytest.raises(RayUnreachableError, match=f"at {address}"):
        ray_cluster._rehearse(address)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("myhead", "an address is HOST:PORT, whether asked for or in RAY_ADDRESS"),
        (":6379", "an address is HOST:PORT"),
        ("myhead:", "an address is HOST:PORT"),
        ("a..b:6379", "no host can have that name"),
        (f"{'a' * 64}:6379", "no host can have that name"),
        ("local", "RAY_ADDRESS says so, and `auto` joins one that runs"),
    ],
)
def test_no_address_in_the_environment(address: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(RayUnreachableError, match=reason):
        ray_cluster._join_running("auto")


def test_an_empty_address_in_the_environment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "")
    monkeypatch.setattr(ray_cluster, "_REHEARSAL", "import sys; print('asked for', sys.argv[1]); raise SystemExit(1)")
    with pytest.raises(RayUnreachableError, match=r"at auto: asked for auto\."):
        ray_cluster._join_running("auto")


def test_somebody_who_never_answers(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "REHEARSAL_TIMEOUT_S", 1.0)
    with pytest.raises(RayUnreachableError, match="nothing came of it within 1 s"):
        ray_cluster._rehearse(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("rehearsal", "reason"),
    [
        ("print('wrong version\\nat length'); raise SystemExit(1)", "wrong version"),
        (
            "import os, sys; print('C raylet_ipc_client.cc:85', file=sys.stderr, flush=True); os.abort()",
            "not a node of it",
        ),
    ],
    ids=["raises", "aborts"],
)
def test_what_ray_says_where_it_fails(rehearsal: str, reason: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "_REHEARSAL", rehearsal)
    with pytest.raises(RayUnreachableError, match=rf"127.0.0.1:{port}: .*{reason}\."):
        ray_cluster._rehearse(f"127.0.0.1:{port}")


def test_ray_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://somewhere:10001")
    with pytest.raises(RayUnreachableError, match="can't carry episodes"):
        ray_cluster._join_running("auto")


def test_the_host_programs_own_connection_is_used_and_left_alone() -> None:
    """In a process of its own, for it starts a Ray; one actor of two finds no place, and holds up nothing."""
    script = """
        import asyncio, ray, tempfile
        from pathlib import Path
        from pipeline import Config, Pipeline

        async def main(folder):
            size = dict(total_episodes=16, episodes_per_update=8, evaluation_episodes=2)
            config = dict(**size, collector="ray", log_dir=Path(folder))
            one = Pipeline(Config(**config, workers=1, run_name="one"))
            other = Pipeline(Config(**config, workers=2, run_name="other"))
            async with one:
                first = await one.run()
                assert ray.is_initialized()
            async with other:
                second = await other.run()
                assert other.statistics().workers_alive == 1
            assert first.digest == second.digest

        if __name__ == "__main__":
            quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
            with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir="/tmp") as short:
                ray.init(num_cpus=1, _temp_dir=short, **quiet)
                asyncio.run(main(folder))
                assert ray.is_initialized()
                assert ray.get(ray.remote(lambda: 42).remote()) == 42
                ray.shutdown(wait_for_processes=True)
            print("done")
    """
    quiet = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}  # no token in the home of who tests
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, **quiet},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith("done")


@pytest.mark.slow  # Ray starts three times over, each time for some ten seconds of both cores
def test_the_host_program_may_use_ray_before_and_afterwards(tmp_path: Path) -> None:
    """Ray keeps the token of one cluster for the process, and another cluster has another."""
    script = """
        import ray
        from pipeline.collect.ray import cluster

        def use_ray():
            ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
            ray.shutdown()

        def use_ours():
            somebody = object()
            cluster.submit(
                lambda: cluster.join(somebody, "local", num_workers=1, store_bytes=cluster.MIN_STORE_BYTES)
            ).result()
            cluster.submit(lambda: cluster.leave(somebody)).result()

        for use in (use_ours, use_ray, use_ours):
            use()
        print("well")
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)  # the user's own
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**environment, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert result.stdout == "well\n", result.stderr[-2000:]
