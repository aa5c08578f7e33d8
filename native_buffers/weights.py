"""A board of versioned weight vectors: the owner publishes a version, workers copy it out.

    owner                                    worker
      publish(values) -> 7                     read(7) -> copy
                      | 4 | 5 | 6 | 7 |        slabs, the oldest is overwritten next

Nothing is locked. Each slab carries its version twice: the owner writes the first stamp before the values and
the second after them, a reader checks the second before it copies and the first afterwards. A slab that is
overwritten meanwhile, or whose writing was cut short, has two different stamps, and the reader is told that
the version is gone (a seqlock, without its retry, since a version that is gone does not come back). That
relies on stores being seen in order, as they are on x86-64; elsewhere it is the caller who must not overwrite
what is in use, as it should anyhow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from native_buffers.errors import NotOwner, StaleWeights
from native_buffers.layout import SEAL_BYTES, Field, Layout, seal, verify_seal
from native_buffers.segment import SharedSegment

if TYPE_CHECKING:
    from typing import Self

    import numpy.typing as npt

_NEVER = -1
"""Stamp of a slab that was never written."""


@dataclass(frozen=True, slots=True)
class WeightStatistics:
    """What is on a weight board."""

    num_slabs: int
    num_values: int
    """Of one version."""
    num_versions: int
    """There to be read now."""
    newest_version: int | None
    """None before the first is published."""
    size_bytes: int
    """Of the whole segment."""


class WeightBoard:
    """The last few versions of one weight vector. A context manager; made by `create` or `attach`.

    How many are in use at once is the caller's to know: with slabs for the policy lag, and three more (the
    version being written, the newest, and the one that a late worker still reads), none is overwritten too
    early. Several who publish have slabs of their own each.
    """

    def __init__(self, segment: SharedSegment, layout: Layout) -> None:
        self.name = segment.name
        """By which workers attach."""
        views = layout.views(segment.buffer, SEAL_BYTES)
        self._segment = segment
        self._started: npt.NDArray[np.int64] = views["started"]
        self._finished: npt.NDArray[np.int64] = views["finished"]
        self._values: npt.NDArray[np.float32] = views["values"]

    @classmethod
    def create(cls, num_values: int, num_slabs: int) -> Self:
        """Allocate an empty board. This process becomes its owner.

        Args:
            num_values: Length of the weight vector, `>= 1`.
            num_slabs: Versions that are kept, `>= 1`.

        Raises:
            SharedMemoryFull: The system has less shared memory left than the board needs.
            ValueError: Of a number below 1.
        """
        if num_values < 1 or num_slabs < 1:
            raise ValueError(f"a board has at least one value and one slab, not {num_values} and {num_slabs}")
        layout = _layout(num_values, num_slabs)
        segment = SharedSegment.create(cls.size_needed(num_values, num_slabs), "weights")
        seal(segment.buffer, layout)
        board = cls(segment, layout)
        board._started.fill(_NEVER)
        board._finished.fill(_NEVER)
        return board

    @classmethod
    def attach(cls, name: str, num_values: int, num_slabs: int) -> Self:
        """Attach to the board that another process created with the same sizes.

        Raises:
            SegmentMissing: There is no such board, or no longer.
            LayoutMismatch: It was created with others.
        """
        layout = _layout(num_values, num_slabs)
        segment = SharedSegment.attach(name)
        try:
            verify_seal(segment.buffer, layout)
        except BaseException:
            segment.close()
            raise
        return cls(segment, layout)

    @staticmethod
    def size_needed(num_values: int, num_slabs: int) -> int:
        """Return the bytes that `create` would allocate."""
        return SEAL_BYTES + _layout(num_values, num_slabs).size_bytes

    def publish(self, values: npt.NDArray[np.float32], slabs: slice = slice(None)) -> int:
        """Put a version on the board, in place of the oldest one when the board is full.

        Args:
            values: `[num_values]` float32.
            slabs: Which of them may be overwritten; all by default.

        Returns:
            The version: 0 for the first, then one more each time.

        Raises:
            NotOwner: The board was attached.
            ValueError: Of values of another shape or dtype, or of no slab.
        """
        if not self._segment.owned:
            raise NotOwner(self.name)
        expected = self._values[0]
        if values.shape != expected.shape or values.dtype != expected.dtype:
            raise ValueError(f"values must be float32 {expected.shape}, not {values.dtype} {values.shape}")
        version = int(self._started.max()) + 1
        those = range(len(self._started))[slabs]
        slab = min(those, key=self._started.__getitem__)
        self._started[slab] = version
        self._values[slab] = values
        self._finished[slab] = version
        return version

    def read(self, version: int) -> npt.NDArray[np.float32]:
        """Return a copy of a version's values, `[num_values]` float32.

        Raises:
            StaleWeights: The version is not there: not yet published, or overwritten, if only meanwhile.
        """
        slabs = np.flatnonzero(self._finished == version)
        if version >= 0 and slabs.size:
            slab = int(slabs[0])
            values: npt.NDArray[np.float32] = self._values[slab].copy()
            if self._started[slab] == version:
                return values
        raise StaleWeights(version, self.versions())

    def versions(self) -> tuple[int, ...]:
        """Return the versions that can be read now, oldest first."""
        whole = (self._started == self._finished) & (self._finished != _NEVER)
        return tuple(sorted(self._finished[whole].tolist()))

    def statistics(self) -> WeightStatistics:
        """Return what is on the board now."""
        num_slabs, num_values = self._values.shape
        versions = self.versions()
        return WeightStatistics(
            num_slabs=num_slabs,
            num_values=num_values,
            num_versions=len(versions),
            newest_version=versions[-1] if versions else None,
            size_bytes=self._segment.size_bytes,
        )

    def close(self) -> None:
        """Give up this process's access. May be repeated."""
        self._started = self._finished = np.empty(0, np.int64)
        self._values = np.empty((0, 0), np.float32)
        self._segment.close()

    def unlink(self) -> None:
        """Remove the board's name; who is attached keeps the board until it closes. May be repeated.

        Raises:
            NotOwner: The board was attached.
        """
        self._segment.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._segment.owned:
            self.unlink()


def _layout(num_values: int, num_slabs: int) -> Layout:
    return Layout(
        (
            Field("started", (num_slabs,), "int64", "weight version"),
            Field("finished", (num_slabs,), "int64", "weight version"),
            Field("values", (num_slabs, num_values), "float32", "weight"),
        )
    )
