from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from native_buffers.errors import (
    LayoutMismatch,
    NotOwner,
    SegmentMissing,
    SharedMemoryFull,
    UnwrittenFields,
)
from native_buffers.layout import Field, Layout
from native_buffers.ring import EpisodeRing, RingStatistics
from native_buffers.slots import IllegalTransition, SlotEvent, SlotState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import RunScript

HEADER = Layout(
    (
        Field("row", (), "int32", "1"),
        Field("seed", (), "uint64", "1"),
        Field("error_text", (), "S480", "utf-8"),
    ),
    alignment=8,
)
RECORD = Layout(
    (
        Field("observation", (11, 52), "int8", "1", poison=-1),
        Field("action", (10,), "uint8", "1", poison=255),
        Field("log_prob", (10,), "float32", "nat", poison=math.nan),
        Field("free_text", (), "S9", "ascii"),
    )
)
FREE, LEASED, FILLED, CONSUMED, LOST = SlotState


@pytest.fixture
def ring() -> Iterator[EpisodeRing]:
    with EpisodeRing.create(HEADER, RECORD, 3) as ring:
        yield ring


@pytest.fixture
def debug_ring() -> Iterator[EpisodeRing]:
    with EpisodeRing.create(HEADER, RECORD, 1, debug=True) as ring:
        yield ring


def write(ring: EpisodeRing, slot: int, value: int) -> None:
    for name, view in ring.record(slot).items():
        view[...] = b"text" if name == "free_text" else value


class TestLife:
    def test_of_one_episode(self, ring: EpisodeRing) -> None:
        slot = ring.lease()
        assert slot == 0
        ring.header(slot)["seed"][...] = 2**64 - 1
        with EpisodeRing.attach(ring.name, HEADER, RECORD, 3) as worker:
            assert worker.state(slot) is LEASED
            assert worker.header(slot)["seed"] == 2**64 - 1
            write(worker, slot, 7)
            worker.header(slot)["error_text"][...] = b"none"
            worker.fill(slot)
        assert ring.state(slot) is FILLED
        ring.consume(slot)
        assert ring.state(slot) is CONSUMED
        assert all((view == 7).all() for name, view in ring.record(slot).items() if name != "free_text")
        assert ring.header(slot)["error_text"].item() == b"none"
        ring.free(slot)
        assert ring.state(slot) is FREE

    def test_slots_are_leased_in_the_order_in_which_they_were_freed(self, ring: EpisodeRing) -> None:
        assert [ring.lease() for _ in range(4)] == [0, 1, 2, None]
        for slot in (2, 0):
            ring.fill(slot)
            ring.consume(slot)
            ring.free(slot)
        ring.lose(1)
        ring.free(1)
        assert [ring.lease() for _ in range(4)] == [2, 0, 1, None]

    def test_a_slot_filled_by_a_worker_that_then_died_can_be_consumed(self, ring: EpisodeRing) -> None:
        slot = ring.lease()
        assert slot is not None
        ring.fill(slot)
        with pytest.raises(IllegalTransition) as raised:
            ring.lose(slot)
        assert (raised.value.slot, raised.value.state, raised.value.event) == (slot, FILLED, SlotEvent.LOSE)
        ring.consume(slot)

    def test_used_twice_is_noticed(self, ring: EpisodeRing) -> None:
        slot = ring.lease()
        assert slot is not None
        ring.fill(slot)
        with pytest.raises(IllegalTransition):
            ring.fill(slot)
        ring.consume(slot)
        ring.free(slot)
        with pytest.raises(IllegalTransition):
            ring.free(slot)
        assert [ring.lease() for _ in range(4)] == [1, 2, 0, None]


class TestViews:
    def test_are_made_once(self, ring: EpisodeRing) -> None:
        assert ring.header(1) is ring.header(1)
        assert ring.record(1) is ring.record(1)

    @pytest.mark.parametrize("num_slots", [1, 2, 1000])
    def test_of_all_slots_are_apart(self, num_slots: int) -> None:
        with EpisodeRing.create(HEADER, RECORD, num_slots) as ring:
            for slot in range(num_slots):
                ring.header(slot)["row"][...] = slot
                write(ring, slot, slot % 100)
            assert not ring.states().any()
            for slot in range(num_slots):
                assert ring.header(slot)["row"] == slot
                record = ring.record(slot)
                assert all((record[name] == slot % 100).all() for name in ("observation", "action", "log_prob"))
                assert record["observation"].ctypes.data % 64 == 0
            assert ring.statistics().size_bytes < 64 * 2 + num_slots * (ring.statistics().slot_bytes + 1)

    @pytest.mark.parametrize("slot", [-1, 3])
    def test_of_no_slot(self, ring: EpisodeRing, slot: int) -> None:
        for method in (ring.header, ring.record, ring.state, ring.fill, ring.consume, ring.lose, ring.free):
            with pytest.raises(IndexError, match=f"slot {slot} is not one of the 3"):
                method(slot)

    def test_that_are_kept_live_on_and_no_new_ones_come(self) -> None:
        with EpisodeRing.create(HEADER, RECORD, 1) as ring:
            kept = ring.record(0)["action"]
            kept[:] = 9
        assert kept.sum() == 90
        for method in (ring.header, ring.record, ring.state, ring.fill):
            with pytest.raises(ValueError, match=r"closed|released"):
                method(0)
        for method_of_all in (ring.lease, ring.states, ring.statistics):
            with pytest.raises(ValueError, match="released"):
                method_of_all()
        ring.close()


class TestStatistics:
    def test_count_the_states(self) -> None:
        with EpisodeRing.create(HEADER, RECORD, 9) as ring:
            for _ in range(8):
                ring.lease()
            for slot in (0, 1, 2, 3, 4):
                ring.fill(slot)
            for slot in (0, 1):
                ring.consume(slot)
            ring.lose(5)
            ring.free(0)
            assert ring.states().tolist() == [FREE, CONSUMED, FILLED, FILLED, FILLED, LOST, LEASED, LEASED, FREE]
            assert ring.statistics() == RingStatistics(
                num_slots=9,
                num_free=2,
                num_leased=2,
                num_filled=3,
                num_consumed=1,
                num_lost=1,
                slot_bytes=512 + 576 + 64 + 64 + 64,  # 496 of the header, 572, 10, 40 and 9 of the record
                size_bytes=128 + 9 * 1280,
            )

    def test_states_are_a_copy(self, ring: EpisodeRing) -> None:
        states = ring.states()
        states[:] = LOST
        assert ring.states().tolist() == [FREE] * 3


class TestAttach:
    @pytest.mark.parametrize(
        ("header", "record", "num_slots"),
        [(RECORD, RECORD, 3), (HEADER, HEADER, 3), (HEADER, RECORD, 2), (HEADER, Layout(RECORD.fields, 32), 3)],
    )
    def test_with_other_layouts(self, ring: EpisodeRing, header: Layout, record: Layout, num_slots: int) -> None:
        with pytest.raises(LayoutMismatch):
            EpisodeRing.attach(ring.name, header, record, num_slots)

    def test_to_nothing(self) -> None:
        with pytest.raises(SegmentMissing):
            EpisodeRing.attach("c2p-none", HEADER, RECORD, 3)

    def test_leaves_to_the_owner_what_is_its(self, ring: EpisodeRing) -> None:
        with EpisodeRing.attach(ring.name, HEADER, RECORD, 3) as worker:
            for refused in (worker.lease, worker.unlink):
                with pytest.raises(NotOwner):
                    refused()
            for refused_of_slot in (worker.consume, worker.lose, worker.free):
                with pytest.raises(NotOwner):
                    refused_of_slot(0)


class TestCreate:
    def test_of_no_slots(self) -> None:
        with pytest.raises(ValueError, match="at least one slot"):
            EpisodeRing.create(HEADER, RECORD, 0)

    def test_of_too_many(self) -> None:
        with pytest.raises(SharedMemoryFull):
            EpisodeRing.create(HEADER, RECORD, 2**36)


class TestDebug:
    def test_a_record_must_be_written_before_it_is_filled(self, debug_ring: EpisodeRing) -> None:
        slot = debug_ring.lease()
        assert slot == 0
        with EpisodeRing.attach(debug_ring.name, HEADER, RECORD, 1, debug=True) as worker:
            record = worker.record(slot)
            record["observation"][...] = 0
            record["action"][:9] = 0
            with pytest.raises(UnwrittenFields) as raised:
                worker.fill(slot)
            assert (raised.value.slot, raised.value.fields) == (slot, ("action", "log_prob"))
            assert worker.state(slot) is LEASED
            record["action"][9] = 0
            record["log_prob"][:] = 0
            worker.fill(slot)
        debug_ring.consume(slot)

    def test_a_record_must_be_written_before_it_is_consumed(self, debug_ring: EpisodeRing) -> None:
        slot = debug_ring.lease()
        assert slot == 0
        with EpisodeRing.attach(debug_ring.name, HEADER, RECORD, 1) as worker:
            worker.fill(slot)
        with pytest.raises(UnwrittenFields):
            debug_ring.consume(slot)
        assert debug_ring.state(slot) is FILLED

    def test_a_freed_record_is_poisoned_under_its_reader(self, debug_ring: EpisodeRing) -> None:
        slot = debug_ring.lease()
        assert slot == 0
        write(debug_ring, slot, 1)
        debug_ring.fill(slot)
        debug_ring.consume(slot)
        kept = debug_ring.record(slot)
        debug_ring.free(slot)
        assert (kept["observation"] == -1).all()
        assert np.isnan(kept["log_prob"]).all()
        assert kept["free_text"].item() == b"text"

    def test_a_wrong_event_is_told_before_poison(self, debug_ring: EpisodeRing) -> None:
        slot = debug_ring.lease()
        assert slot == 0
        with pytest.raises(IllegalTransition):
            debug_ring.consume(slot)


class RingMachine(RuleBasedStateMachine):
    """Any sequence of calls, legal or not, against a model of queues and dictionaries."""

    @initialize(num_slots=st.integers(1, 5), debug=st.booleans())
    def create(self, num_slots: int, debug: bool) -> None:
        self.ring = EpisodeRing.create(HEADER, RECORD, num_slots, debug)
        self.worker = EpisodeRing.attach(self.ring.name, HEADER, RECORD, num_slots, debug)
        self.states = [FREE] * num_slots
        self.free_slots = deque(range(num_slots))
        self.rows = [0] * num_slots
        self.num_leases = 0

    @rule()
    def lease(self) -> None:
        slot = self.ring.lease()
        assert slot == (self.free_slots.popleft() if self.free_slots else None)
        if slot is not None:
            self.num_leases += 1
            self.states[slot] = LEASED
            self.rows[slot] = self.num_leases
            self.ring.header(slot)["row"][...] = self.num_leases

    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        slot = self.any_slot(data)
        if self.states[slot] is LEASED:
            write(self.worker, slot, self.rows[slot] % 100)
        self.happens(slot, self.worker.fill, {LEASED: FILLED})

    @rule(data=st.data())
    def consume(self, data: st.DataObject) -> None:
        slot = self.any_slot(data)
        if self.happens(slot, self.ring.consume, {FILLED: CONSUMED}):
            assert (self.ring.record(slot)["action"] == self.rows[slot] % 100).all()

    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.happens(self.any_slot(data), self.ring.lose, {LEASED: LOST})

    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        slot = self.any_slot(data)
        if self.happens(slot, self.ring.free, {CONSUMED: FREE, LOST: FREE}):
            self.free_slots.append(slot)

    @invariant()
    def both_sides_see_the_model(self) -> None:
        assert self.ring.states().tolist() == self.worker.states().tolist() == self.states
        assert [int(self.worker.header(slot)["row"]) for slot in range(len(self.rows))] == self.rows
        assert self.ring.statistics().num_free == len(self.free_slots)

    def teardown(self) -> None:
        self.worker.close()
        self.ring.close()
        self.ring.unlink()

    def any_slot(self, data: st.DataObject) -> int:
        return data.draw(st.integers(0, len(self.states) - 1))

    def happens(self, slot: int, event: object, legal: dict[SlotState, SlotState]) -> bool:
        if self.states[slot] in legal:
            event(slot)  # type: ignore[operator]
            self.states[slot] = legal[self.states[slot]]
            return True
        with pytest.raises(IllegalTransition):
            event(slot)  # type: ignore[operator]
        return False


TestAnyHistory = RingMachine.TestCase


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_episodes_through_a_process_pool(run_script: RunScript, method: str) -> None:
    result = run_script(POOL_SCRIPT, method)
    assert (result.returncode, result.stderr) == (0, "")
    name, total = result.stdout.split()
    assert int(total) == sum(10 * (row % 50) for row in range(200))
    assert not Path("/dev/shm", name).exists()  # noqa: S108 - where Linux keeps shared memory


POOL_SCRIPT = """
import multiprocessing, sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from native_buffers.layout import Field, Layout
from native_buffers.ring import EpisodeRing

HEADER = Layout((Field("row", (), "int32", "1"),), alignment=8)
RECORD = Layout((Field("action", (10,), "uint8", "1", 255),))

def attach(name):
    global ring
    ring = EpisodeRing.attach(name, HEADER, RECORD, 3, debug=True)

def play(slot):
    ring.record(slot)["action"][:] = ring.header(slot)["row"] % 50
    ring.fill(slot)
    return slot

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with (
        EpisodeRing.create(HEADER, RECORD, 3, debug=True) as ring,
        ProcessPoolExecutor(2, context, attach, (ring.name,)) as pool,
    ):
        total, row, futures = 0, 0, set()
        while row < 200 or futures:
            while row < 200 and (slot := ring.lease()) is not None:
                ring.header(slot)["row"][...] = row
                row += 1
                futures.add(pool.submit(play, slot))
            done, futures = wait(futures, timeout=30, return_when=FIRST_COMPLETED)
            for slot in [future.result() for future in done]:
                ring.consume(slot)
                total += int(ring.record(slot)["action"].sum())
                ring.free(slot)
    print(ring.name, total)
"""
