"""Named shared memory with one owner, which alone creates and unlinks it.

    owner                                   worker
    SharedSegment.create --- name --------> SharedSegment.attach
      allocate, lock, map, track              map
      close, unlink                           close

Three things keep /dev/shm clean. `unlink` is the ordinary way. The resource tracker of `multiprocessing`, a
process of its own, unlinks what an owner that was killed left behind, once all processes that share the
tracker are gone; it is told of a segment by the owner alone, since it would unlink a live one as soon as any
other process that told it of it ends. And when the tracker was killed as well, `sweep_stale` unlinks at the
next start what belongs to no living process.

Owners are told apart by process id and start time, since ids are used again, and by a lock on the segment's
file, which the kernel drops with its holder: a process in another container that shares /dev/shm has no id
here, but its lock is seen. Systems without /dev/shm have neither the lock nor the sweep, and allocate when
memory is touched.

Semaphores that are named like that (`owned_name`) and held like that (`hold_semaphore`) are swept along.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import sys
import threading
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import TYPE_CHECKING

from native_buffers.errors import NotOwner, SegmentMissing, SharedMemoryFull

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized
    from typing import Self

PREFIX = "c2p"
"""First part of every segment's name."""

_SHM = Path("/dev/shm")  # noqa: S108 - where Linux keeps POSIX shared memory, not a temporary file of ours
_SEMAPHORE = "sem."
"""What the C library puts before a semaphore's name."""
_NAME = re.compile(rf"(?:{re.escape(_SEMAPHORE)})?{PREFIX}-(?P<pid>\d+)-(?P<start>\d+)-[a-z]+-[0-9a-f]{{8}}")
_PATCH = threading.Lock()


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from an earlier or later one with the same id."""

    pid: int
    start_ticks: int
    """Clock ticks from boot to its start; 0 where the system does not tell."""

    @classmethod
    def current(cls) -> Self:
        """Return this process."""
        return cls(os.getpid(), _start_ticks(os.getpid()) or 0)

    def is_alive(self) -> bool:
        """Whether the process still runs; a zombie does not."""
        return _start_ticks(self.pid) == self.start_ticks


class SharedSegment:
    """One named piece of shared memory, as its owner or as a process that attached to it. A context manager.

    Made by `create` or `attach`. Leaving the context closes the segment, and unlinks it where it was created.
    """

    def __init__(self, memory: SharedMemory, lock_fd: int | None, *, owned: bool) -> None:
        self.name = memory.name
        """By which other processes attach."""
        self.size_bytes = memory.size
        self.owned = owned
        """Whether this object created the segment, and so is to unlink it."""
        self._memory = memory
        self._linked = owned
        self._unlock = weakref.finalize(self, os.close, lock_fd) if lock_fd is not None else lambda: None

    @classmethod
    def create(cls, size_bytes: int, purpose: str, owner: Owner | None = None) -> Self:
        """Create a segment of zeros that only this user can open, with all its memory allocated.

        Args:
            size_bytes: Its size, `> 0`.
            purpose: A lower-case word that stands in its name, to be told apart in a listing.
            owner: Whose it is; this process by default.

        Raises:
            SharedMemoryFull: The system has less shared memory left. Without this check, a process that
                touches the part that is missing would be killed by SIGBUS, with no traceback.
            ValueError: Of a size or purpose other than said.
        """
        name = owned_name(purpose, owner)
        if not _NAME.fullmatch(name):
            raise ValueError(f"purpose must be a word of lower-case letters, not {purpose!r}")
        if size_bytes <= 0:
            raise ValueError(f"a segment has at least one byte, not {size_bytes}")
        if sys.platform != "linux":
            return cls(_Mapping(name, create=True, size=size_bytes), None, owned=True)
        lock_fd = _allocate(_SHM / name, size_bytes)
        try:
            return cls(_Mapping(name), lock_fd, owned=True)
        except BaseException:
            _remove(_SHM / name)
            os.close(lock_fd)
            raise

    @classmethod
    def attach(cls, name: str) -> Self:
        """Map a segment that another process created, which must still live.

        Raises:
            SegmentMissing: There is none of this name.
        """
        try:
            return cls(_Attachment(name), None, owned=False)
        except FileNotFoundError:
            raise SegmentMissing(name) from None

    @property
    def buffer(self) -> memoryview:
        """The segment's bytes. They stay mapped as long as anything views them, also after `close`.

        Raises:
            ValueError: The segment is closed.
        """
        if self._memory.buf is None:
            raise ValueError(f"segment {self.name!r} is closed")
        return self._memory.buf

    def close(self) -> None:
        """Give up this process's access. May be repeated. Views that are still held keep their bytes."""
        self._memory.close()
        self._unlock()

    def unlink(self) -> None:
        """Remove the name: nobody attaches any more; the last mapping frees the memory. May be repeated.

        Raises:
            NotOwner: The segment was attached, not created.
        """
        if not self.owned:
            raise NotOwner(self.name)
        if self._linked:
            self._linked = False
            self._memory.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self.owned:
            self.unlink()


def owned_name(purpose: str, owner: Owner | None = None) -> str:
    """Return a name that nothing has yet, and that tells whose it is: this process's by default."""
    owner = owner or Owner.current()
    return f"{PREFIX}-{owner.pid}-{owner.start_ticks}-{purpose}-{secrets.token_hex(4)}"


def hold_semaphore(name: str) -> int:
    """Lock the file of a POSIX semaphore of this process's, so that nobody takes it for a stale one (Linux).

    Args:
        name: As it was made by, from `owned_name`, behind a slash.

    Returns:
        The descriptor that holds the lock until it is closed.
    """
    fd = os.open(_SHM / f"{_SEMAPHORE}{name.removeprefix('/')}", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def sweep_stale() -> list[str]:
    """Unlink what belongs to this user and to no living process: segments of this package, semaphores so named.

    One goes only when its owner's process is gone *and* nobody holds its lock. Elsewhere than on Linux,
    where they can't be listed, nothing is done.

    Returns:
        The names of what was unlinked, sorted.
    """
    if sys.platform != "linux":
        return []
    paths = [*_SHM.glob(f"{PREFIX}-*"), *_SHM.glob(f"{_SEMAPHORE}{PREFIX}-*")]
    return sorted(path.name for path in paths if _is_stale(path) and _remove(path))


class _Mapping(SharedMemory):
    """`SharedMemory` that can be closed and unlinked at any time."""

    def close(self) -> None:
        # SharedMemory would unmap, and fails while an array still views the memory. Letting go leaves the
        # unmapping to the last view: one that is kept too long reads old bytes, and never crashes.
        self._buf = None
        self._mmap = None
        super().close()

    def unlink(self) -> None:
        try:
            super().unlink()
        except FileNotFoundError:  # somebody else removed the name; the tracker need not try
            resource_tracker.unregister(f"/{self.name}", "shared_memory")


class _Attachment(_Mapping):
    """A mapping of what another process owns; the resource tracker knows nothing of it."""

    def __init__(self, name: str) -> None:
        if sys.version_info >= (3, 13):
            super().__init__(name, track=False)
        else:
            with _untracked(f"/{name}"):
                super().__init__(name)

    def unlink(self) -> None:
        """Do nothing: SharedMemory calls this when it fails to map, and would rob the owner."""


@contextmanager
def _untracked(tracker_name: str) -> Iterator[None]:
    # What `track=False` does from Python 3.13 on. Other threads may register other names meanwhile.
    with _PATCH:
        register = resource_tracker.register

        def register_others(name: Sized, rtype: str) -> None:
            if name != tracker_name:
                register(name, rtype)

        resource_tracker.register = register_others
        try:
            yield
        finally:
            resource_tracker.register = register


def _allocate(path: Path, size_bytes: int) -> int:
    """Create the file of a segment with all its pages, and return a descriptor that holds its lock."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.posix_fallocate(fd, 0, size_bytes)
    except BaseException as error:
        path.unlink()
        os.close(fd)
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            space = os.statvfs(_SHM)
            free_bytes, total_bytes = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
            raise SharedMemoryFull(size_bytes, free_bytes, total_bytes) from None
        raise
    return fd


def _is_stale(path: Path) -> bool:
    match = _NAME.fullmatch(path.name)
    if match is None or Owner(int(match["pid"]), int(match["start"])).is_alive():
        return False
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return False
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # removed meanwhile; or locked, by an owner that lives where its process id can't be seen
        return False
    return True


def _remove(path: Path) -> bool:
    with suppress(FileNotFoundError):  # another process sweeps as well
        path.unlink()
        return True
    return False


def _start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is dead or a zombie, or untold."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # proc(5): field 3 is the state, field 22 the start; field 2, in brackets, may hold blanks and brackets.
    state, *fields = status.rpartition(b")")[2].split()
    return None if state in (b"Z", b"X") else int(fields[18])
