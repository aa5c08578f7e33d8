"""What can go wrong between processes: each error a type, with its numbers and what to do about it.

Errors are raised in workers and re-raised in the parent, so each keeps its arguments in `args`, where pickle
finds them, and makes its message from them when it is asked for.
"""

# ruff: noqa: N818 - an error is named after what is so, and every one derives from `NativeBufferError`

from __future__ import annotations

_GIB = 2**30


class NativeBufferError(Exception):
    """Any error of this package."""


class SharedMemoryFull(NativeBufferError):
    """The system has less shared memory left than a segment needs. Nothing was created."""

    def __init__(self, needed_bytes: int, free_bytes: int, total_bytes: int) -> None:
        super().__init__(needed_bytes, free_bytes, total_bytes)
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes
        self.total_bytes = total_bytes

    def __str__(self) -> str:
        enough = -(-(self.total_bytes - self.free_bytes + self.needed_bytes) // _GIB)
        return (
            f"shared memory is full: {_size(self.needed_bytes)} needed, {_size(self.free_bytes)} of "
            f"{_size(self.total_bytes)} free in /dev/shm. Ask for less (fewer workers, fewer slots each), or "
            f"enlarge it: `mount -o remount,size={enough}G /dev/shm`, `docker run --shm-size={enough}g`"
        )


class SegmentMissing(NativeBufferError):
    """No segment has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"there is no shared memory segment {self.name!r}: "
            "the process that created it has ended or has unlinked it. Attach only while that process lives"
        )


class NotOwner(NativeBufferError):
    """A process did with a segment what only the one that created it may do."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"segment {self.name!r} is only attached here: "
            "leave leasing, freeing, publishing and unlinking to the process that created it"
        )


class LayoutMismatch(NativeBufferError):
    """A segment was laid out by another table of fields than the one it is attached with."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return (
            f"the segment's layout has digest {self.found[:12]}, expected {self.expected[:12]}: "
            "its creator has other fields, other sizes or another version of the code. "
            "Attach with the creator's layouts, and restart both sides after an upgrade"
        )


class UnwrittenFields(NativeBufferError):
    """Debug only: a slot was handed over with poison in it."""

    def __init__(self, slot: int, fields: tuple[str, ...]) -> None:
        super().__init__(slot, fields)
        self.slot = slot
        self.fields = fields

    def __str__(self) -> str:
        return (
            f"slot {self.slot} was handed over with unwritten elements in {', '.join(self.fields)}: "
            "its writer must write every element of a field that has a poison value"
        )


class StaleWeights(NativeBufferError):
    """A version is not on the weight board: not yet published, or overwritten by a newer one."""

    def __init__(self, version: int, available: tuple[int, ...]) -> None:
        super().__init__(version, available)
        self.version = version
        self.available = available

    def __str__(self) -> str:
        board = ", ".join(map(str, self.available)) or "none"
        return (
            f"weight version {self.version} is not on the board (there: {board}). "
            "Publish before leasing; give the board more slabs if a version in use was overwritten"
        )


def _size(num_bytes: int) -> str:
    if num_bytes >= _GIB:
        return f"{num_bytes / _GIB:,.1f} GiB"
    if num_bytes >= 2**20:
        return f"{num_bytes / 2**20:,.1f} MiB"
    return f"{num_bytes:,} bytes"
