from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from native_buffers.errors import LayoutMismatch, NotOwner, SegmentMissing, StaleWeights
from native_buffers.weights import WeightBoard, WeightStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from conftest import RunScript


@pytest.fixture
def board() -> Iterator[WeightBoard]:
    with WeightBoard.create(5, 3) as board:
        yield board


def values(version: int) -> npt.NDArray[np.float32]:
    return np.full(5, version, np.float32)


def test_a_worker_reads_what_was_published(board: WeightBoard) -> None:
    published = np.array([1.5, -0.0, np.nan, np.inf, 1e-45], np.float32)
    board.publish(published)
    with WeightBoard.attach(board.name, 5, 3) as worker:
        read = worker.read(0)
    assert read.dtype == np.float32
    assert read.tobytes() == published.tobytes()


def test_what_is_read_is_a_copy(board: WeightBoard) -> None:
    board.publish(values(0))
    board.read(0)[:] = 9
    assert board.read(0).tolist() == [0] * 5


@given(st.lists(st.integers(0, 2), max_size=20))
def test_who_publishes_overwrites_nothing_but_in_slabs_of_their_own(publishers: list[int]) -> None:
    with WeightBoard.create(5, 6) as board:
        versions: list[list[int]] = [[], [], []]
        for number, publisher in enumerate(publishers):
            version = board.publish(values(number), slice(2 * publisher, 2 * publisher + 2))
            versions[publisher].append(version)
        assert board.versions() == tuple(sorted(version for mine in versions for version in mine[-2:]))
        for version in board.versions():
            assert board.read(version).tolist() == [version] * 5
        with pytest.raises(ValueError, match="empty"):
            board.publish(values(0), slice(6, 8))


@given(st.integers(1, 12), st.integers(1, 4))
def test_versions_are_counted_and_the_newest_stay(num_versions: int, num_slabs: int) -> None:
    with WeightBoard.create(5, num_slabs) as board:
        for newest in range(num_versions):
            assert board.publish(values(newest)) == newest
            kept = range(max(0, newest + 1 - num_slabs), newest + 1)
            assert board.versions() == tuple(kept)
            for version in range(num_versions):
                if version in kept:
                    assert board.read(version).tolist() == [version] * 5
                else:
                    with pytest.raises(StaleWeights) as raised:
                        board.read(version)
                    assert (raised.value.version, raised.value.available) == (version, tuple(kept))


def test_an_empty_board(board: WeightBoard) -> None:
    assert board.versions() == ()
    for version in (0, -1):
        with pytest.raises(StaleWeights, match="none"):
            board.read(version)


@pytest.mark.parametrize("wrong", [np.zeros(4, np.float32), np.zeros((1, 5), np.float32), np.zeros(5)])
def test_values_must_fit(board: WeightBoard, wrong: npt.NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="must be float32"):
        board.publish(wrong)
    assert board.versions() == ()
    assert board.publish(values(0)) == 0  # what was refused has no number


@pytest.mark.parametrize(("num_values", "num_slabs"), [(0, 3), (5, 0)])
def test_a_board_of_nothing(num_values: int, num_slabs: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        WeightBoard.create(num_values, num_slabs)


@pytest.mark.parametrize(("num_values", "num_slabs"), [(4, 3), (5, 4), (3, 5)])
def test_attaching_with_other_sizes(board: WeightBoard, num_values: int, num_slabs: int) -> None:
    with pytest.raises(LayoutMismatch):
        WeightBoard.attach(board.name, num_values, num_slabs)


def test_attaching_to_nothing() -> None:
    with pytest.raises(SegmentMissing):
        WeightBoard.attach("c2p-none", 5, 3)


def test_only_the_owner_publishes_and_unlinks(board: WeightBoard) -> None:
    with WeightBoard.attach(board.name, 5, 3) as worker:
        with pytest.raises(NotOwner):
            worker.publish(values(0))
        with pytest.raises(NotOwner):
            worker.unlink()


def test_a_version_that_is_being_written_is_not_there(board: WeightBoard) -> None:
    for version in range(3):
        board.publish(values(version))
    board._started[0] = 3  # as far as a publisher comes that is killed in the middle
    board._values[0, :2] = 3
    assert board.versions() == (1, 2)
    for version in (0, 3):
        with pytest.raises(StaleWeights):
            board.read(version)
    assert board.publish(values(4)) == 4
    assert board.read(4).tolist() == [4] * 5


def test_statistics(board: WeightBoard) -> None:
    size_bytes = 64 * 4  # seal, two stamps of 24 bytes and 60 bytes of values, each on cache lines of its own
    assert board.statistics() == WeightStatistics(3, 5, 0, None, size_bytes)
    for version in range(4):
        board.publish(values(version))
    assert board.statistics() == WeightStatistics(3, 5, 3, 3, size_bytes)


def test_closed() -> None:
    with WeightBoard.create(5, 3) as board:
        board.publish(values(0))
    assert board.versions() == ()
    with pytest.raises(StaleWeights):
        board.read(0)


def test_a_reader_beside_a_hasty_writer_gets_whole_versions_or_none(run_script: RunScript) -> None:
    result = run_script(HASTY_SCRIPT)
    assert (result.returncode, result.stderr) == (0, "")
    name, num_read, num_torn = result.stdout.split()
    assert int(num_read) > 0
    assert int(num_torn) == 0
    assert not Path("/dev/shm", name).exists()  # noqa: S108 - where Linux keeps shared memory


HASTY_SCRIPT = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from native_buffers.errors import StaleWeights
from native_buffers.weights import WeightBoard

NUM_VALUES = 20_000
NUM_VERSIONS = 10_000

def read(name):
    num_read = num_torn = 0
    with WeightBoard.attach(name, NUM_VALUES, 2) as board:
        while NUM_VERSIONS - 1 not in (versions := board.versions()):
            for version in versions:
                try:
                    values = board.read(version)
                except StaleWeights:
                    continue
                num_read += 1
                num_torn += (values != version).any()
        board.read(NUM_VERSIONS - 1)
    return num_read + 1, num_torn

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with WeightBoard.create(NUM_VALUES, 2) as board, ProcessPoolExecutor(1, context) as pool:
        pool.submit(int).result()
        future = pool.submit(read, board.name)
        for version in range(NUM_VERSIONS):
            board.publish(np.full(NUM_VALUES, version, np.float32))
        num_read, num_torn = future.result(timeout=60)
    print(board.name, num_read, num_torn)
"""
