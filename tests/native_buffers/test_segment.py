from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from native_buffers import segment as segments
from native_buffers.errors import NotOwner, SegmentMissing, SharedMemoryFull
from native_buffers.segment import Owner, SharedSegment, sweep_stale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import RunScript

SHM = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /dev/shm and /proc")


@pytest.fixture
def dead() -> Owner:
    """A process that has lived, and lives no more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = Owner(child.pid, start_ticks(child.pid))
        assert owner.is_alive()
        child.communicate(b"\n")
    return owner


def start_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().split()[21])


@pytest.fixture
def stale(dead: Owner) -> Iterator[SharedSegment]:
    """A segment of a dead process, with no lock held."""
    segment = SharedSegment.create(100, "test", dead)
    segment.close()
    yield segment
    segment.unlink()


class TestCreate:
    def test_name_says_whose_and_what_for(self) -> None:
        with SharedSegment.create(100, "test") as segment:
            prefix, pid, ticks, purpose, nonce = segment.name.split("-")
            assert (prefix, int(pid), purpose) == ("c2p", os.getpid(), "test")
            assert int(ticks) == start_ticks(os.getpid())
            assert len(nonce) == 8

    def test_is_private_zero_and_wholly_allocated(self) -> None:
        with SharedSegment.create(100_000, "test") as segment:
            status = (SHM / segment.name).stat()
            assert stat.S_IMODE(status.st_mode) == 0o600
            assert segment.size_bytes == len(segment.buffer) == status.st_size == 100_000
            assert status.st_blocks * 512 >= 100_000  # before anything was touched
            assert bytes(segment.buffer) == bytes(100_000)

    @pytest.mark.parametrize("purpose", ["", "two-words", "UPPER", "a/b", "../x"])
    def test_refuses_a_purpose_that_is_no_word(self, purpose: str) -> None:
        with pytest.raises(ValueError, match="purpose"):
            SharedSegment.create(1, purpose)

    @pytest.mark.parametrize("size_bytes", [0, -1])
    def test_refuses_no_bytes(self, size_bytes: int) -> None:
        with pytest.raises(ValueError, match="at least one byte"):
            SharedSegment.create(size_bytes, "test")

    def test_full(self) -> None:
        space = os.statvfs(SHM)
        needed_bytes = space.f_blocks * space.f_frsize + 1
        with pytest.raises(SharedMemoryFull) as raised:
            SharedSegment.create(needed_bytes, "test")
        assert raised.value.needed_bytes == needed_bytes
        assert 0 < raised.value.free_bytes < needed_bytes

    def test_full_for_the_second_only(self, run_script: RunScript) -> None:
        inside = ("unshare", "--mount", "--map-root-user")
        mount = f"{shutil.which('mount')} -t tmpfs -o size=1m tmpfs /dev/shm"
        if subprocess.run([*inside, "sh", "-c", mount], capture_output=True, check=False).returncode:
            pytest.skip("mounting a small /dev/shm is not allowed here")
        result = run_script(FULL_SCRIPT, prefix=(*inside, "sh", "-c", f'{mount} && exec "$@"', "sh"))
        assert (result.stdout, result.stderr) == ("655360 of 1048576 free, 1 left, 655360 filled\n", "")


FULL_SCRIPT = """
from pathlib import Path
from native_buffers.errors import SharedMemoryFull
from native_buffers.segment import SharedSegment

with SharedSegment.create(384 * 1024, "test"):
    try:
        SharedSegment.create(656 * 1024, "test")
    except SharedMemoryFull as error:
        print(f"{error.free_bytes} of {error.total_bytes} free,", end=" ")
    print(len(list(Path("/dev/shm").iterdir())), "left,", end=" ")
    with SharedSegment.create(640 * 1024, "test") as rest:  # and all that is free can be used
        rest.buffer[:] = b"x" * rest.size_bytes
        print(bytes(rest.buffer).count(b"x"), "filled")
"""


class TestAttach:
    def test_sees_the_same_bytes(self) -> None:
        with SharedSegment.create(100, "test") as owner, SharedSegment.attach(owner.name) as other:
            assert (other.name, other.size_bytes) == (owner.name, 100)
            other.buffer[99] = 7
            assert owner.buffer[99] == 7
            assert owner.owned
            assert not other.owned

    def test_leaving_does_not_unlink(self) -> None:
        with SharedSegment.create(100, "test") as owner:
            with SharedSegment.attach(owner.name):
                pass
            assert (SHM / owner.name).exists()

    def test_may_not_unlink(self) -> None:
        with SharedSegment.create(100, "test") as owner, SharedSegment.attach(owner.name) as other:
            with pytest.raises(NotOwner):
                other.unlink()
            assert (SHM / owner.name).exists()

    def test_missing(self) -> None:
        with pytest.raises(SegmentMissing, match="c2p-none"):
            SharedSegment.attach("c2p-none")

    def test_outlives_the_owner(self) -> None:
        with SharedSegment.create(100, "test") as owner:
            other = SharedSegment.attach(owner.name)
        other.buffer[0] = 1
        other.close()

    def test_a_process_of_its_own_leaves_the_segment_alone(self, run_script: RunScript) -> None:
        with SharedSegment.create(100, "test") as owner:
            result = run_script(ATTACH_SCRIPT, owner.name)  # its resource tracker, if any, has ended too
            assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
            assert owner.buffer[0] == 7
            assert (SHM / owner.name).exists()

    def test_failing_to_map_leaves_the_segment_alone(self, run_script: RunScript) -> None:
        with SharedSegment.create(100, "test") as owner:
            result = run_script(NO_DESCRIPTORS_SCRIPT, owner.name)
            assert (result.stdout, result.stderr) == ("Too many open files\n", "")
            assert (SHM / owner.name).exists()


ATTACH_SCRIPT = """
import sys
from multiprocessing import resource_tracker
from native_buffers.segment import SharedSegment

resource_tracker.ensure_running()
segment = SharedSegment.attach(sys.argv[1])
segment.buffer[0] = 7  # and ends without closing
"""

NO_DESCRIPTORS_SCRIPT = """
import os, resource, sys
from native_buffers.segment import SharedSegment

resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
opened = []
try:
    while True:
        opened.append(os.dup(0))
except OSError:
    os.close(opened.pop())  # one for the file, none for the mapping
try:
    SharedSegment.attach(sys.argv[1])
except OSError as error:
    message = error.strerror
for fd in opened:
    os.close(fd)
print(message)
"""


class TestCloseAndUnlink:
    def test_may_be_repeated_and_in_any_order(self) -> None:
        segment = SharedSegment.create(100, "test")
        for end in (segment.unlink, segment.close, segment.close, segment.unlink):
            end()
        assert not (SHM / segment.name).exists()

    def test_closed_has_no_buffer(self) -> None:
        with SharedSegment.create(100, "test") as segment:
            pass
        with pytest.raises(ValueError, match="closed"):
            _ = segment.buffer

    def test_a_view_that_is_kept_keeps_its_bytes(self) -> None:
        with SharedSegment.create(100, "test") as segment:
            view = np.frombuffer(segment.buffer, np.uint8)
            view[:] = 5
        assert view.sum() == 500

    def test_closing_gives_back_descriptors_and_mappings(self) -> None:
        def held() -> tuple[int, int]:
            maps = Path("/proc/self/maps").read_text()
            return len(list(Path("/proc/self/fd").iterdir())), maps.count(f"{SHM}/c2p-")

        SharedSegment.create(100, "test").__exit__()  # starts the tracker
        before = held()
        for _ in range(3):
            with SharedSegment.create(100, "test") as owner, SharedSegment.attach(owner.name):
                assert held() != before
        assert held() == before

    def test_unlinked_by_somebody_else(self, run_script: RunScript) -> None:
        result = run_script(REMOVED_SCRIPT)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


REMOVED_SCRIPT = """
from pathlib import Path
from native_buffers.segment import SharedSegment

with SharedSegment.create(100, "test") as segment:
    (Path("/dev/shm") / segment.name).unlink()
"""


class TestSweep:
    """Any run that starts beside the tests sweeps as well, and may be quicker: what is stale is gone, by whomever."""

    def test_takes_what_a_dead_process_left(self, stale: SharedSegment) -> None:
        sweep_stale()
        assert not (SHM / stale.name).exists()

    def test_says_what_it_took(self, dead: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(segments, "_SHM", tmp_path)  # where nobody else sweeps
        left = [tmp_path / f"c2p-{dead.pid}-{dead.start_ticks}-test-{nonce:08x}" for nonce in (2, 1)]
        others = [tmp_path / f"c2p-{os.getpid()}-{start_ticks(os.getpid())}-test-00000001", tmp_path / "c2p-mine"]
        for path in [*left, *others]:
            path.touch()
        assert sweep_stale() == [left[1].name, left[0].name]
        assert sorted(tmp_path.iterdir()) == sorted(others)
        assert sweep_stale() == []

    def test_an_id_that_is_used_again_is_no_life(self) -> None:
        earlier = Owner(os.getpid(), Owner.current().start_ticks - 1)
        segment = SharedSegment.create(100, "test", earlier)
        segment.close()
        sweep_stale()
        assert not (SHM / segment.name).exists()
        segment.unlink()

    def test_a_zombie_is_dead(self) -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            owner = Owner(child.pid, start_ticks(child.pid))
            assert child.stdin is not None
            child.stdin.close()
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            assert Path(f"/proc/{child.pid}").exists()
            assert not owner.is_alive()

    def test_leaves_the_living_alone(self) -> None:
        with SharedSegment.create(100, "test") as segment:
            assert segment.name not in sweep_stale()
            segment.close()  # and with it the lock
            assert segment.name not in sweep_stale()
            assert (SHM / segment.name).exists()

    def test_leaves_alone_what_is_locked_by_a_process_it_cannot_see(self, dead: Owner) -> None:
        with SharedSegment.create(100, "test", dead) as segment:
            assert segment.name not in sweep_stale()
            assert (SHM / segment.name).exists()

    def test_leaves_other_names_and_links_alone(self, stale: SharedSegment) -> None:
        others = [SHM / f"{stale.name}x", SHM / f"x{stale.name}", SHM / "c2p-mine"]
        link = SHM / f"{stale.name[:-8]}00000000"
        try:
            for path in others:
                path.touch()
            link.symlink_to(others[0])
            sweep_stale()
            assert not (SHM / stale.name).exists()
            assert all(path.exists() for path in [*others, link])
        finally:
            for path in [*others, link]:
                path.unlink(missing_ok=True)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
    def test_leaves_other_users_alone(self, dead: Owner) -> None:
        with SharedSegment.create(100, "test", dead) as segment:
            os.chown(SHM / segment.name, 12345, 12345)
            segment.close()  # and with it the lock
            assert segment.name not in sweep_stale()
            assert (SHM / segment.name).exists()


class TestKilledOwner:
    def test_its_tracker_cleans_up(self, run_script: RunScript) -> None:
        result = run_script(KILLED_SCRIPT, "owner")  # returns when the tracker, which holds stderr, has ended
        assert result.returncode == -9
        assert not (SHM / result.stdout.strip()).exists()
        assert "leaked shared_memory" in result.stderr

    def test_the_sweep_cleans_up_after_both(self, run_script: RunScript) -> None:
        result = run_script(KILLED_SCRIPT, "owner and tracker")
        assert (result.returncode, result.stderr) == (-9, "")
        sweep_stale()
        assert not (SHM / result.stdout.strip()).exists()


KILLED_SCRIPT = """
import os, signal, sys
from multiprocessing import resource_tracker
from native_buffers.segment import SharedSegment

segment = SharedSegment.create(100, "test")
print(segment.name, flush=True)
if "tracker" in sys.argv[1]:
    os.kill(resource_tracker._resource_tracker._pid, signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


class TestProcessPool:
    @pytest.mark.parametrize("method", ["spawn", "forkserver"])
    def test_workers_attach_and_end_in_silence(self, run_script: RunScript, method: str) -> None:
        result = run_script(POOL_SCRIPT, method)
        assert (result.returncode, result.stderr) == (0, "")
        name, written = result.stdout.split()
        assert int(written) == 8
        assert not (SHM / name).exists()


POOL_SCRIPT = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from native_buffers.segment import SharedSegment

def attach(name):
    global segment
    segment = SharedSegment.attach(name)  # for as long as the worker lives, and never closed

def write(index):
    segment.buffer[index] = 1

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with SharedSegment.create(100, "test") as owner:
        for _ in range(2):  # the second pool comes after the workers of the first have gone
            with ProcessPoolExecutor(2, context, attach, (owner.name,)) as pool:
                list(pool.map(write, range(8)))
        print(owner.name, sum(owner.buffer))
"""
