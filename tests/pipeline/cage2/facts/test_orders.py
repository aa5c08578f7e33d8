from __future__ import annotations

import subprocess
import sys
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts import orders

workflow_ids = st.integers(0, orders.NUM_WORKFLOWS - 1)


def test_orders_are_all_permutations_in_lexicographic_order() -> None:
    assert orders.ORDERS.shape == (120, 5)
    assert orders.ORDERS.dtype == np.uint8
    assert [tuple(order) for order in orders.ORDERS.tolist()] == sorted(permutations(range(5)))


@given(workflow_ids)
def test_one_hot_is_position_major(workflow_id: int) -> None:
    encoded = orders.one_hot(workflow_id)
    assert encoded.shape == (orders.ORDER_SIZE,) == (25,)
    assert encoded.dtype == np.float32
    for position, host_type in enumerate(orders.ORDERS[workflow_id]):
        row = encoded[5 * position : 5 * position + 5]
        assert row[host_type] == 1
        assert row.sum() == 1


@given(workflow_ids)
def test_positions_invert_orders(workflow_id: int) -> None:
    assert orders.ORDERS[workflow_id][orders.POSITIONS[workflow_id]].tolist() == list(range(5))


@given(workflow_ids, workflow_ids)
def test_kendall_counts_discordant_pairs(first: int, second: int) -> None:
    a, b = orders.ORDERS[first].tolist(), orders.ORDERS[second].tolist()
    discordant = sum((a.index(i) < a.index(j)) != (b.index(i) < b.index(j)) for i, j in combinations(range(5), 2))
    assert orders.kendall_tau(first, second) == discordant / 10
    assert orders.KENDALL[first, second] == discordant / 10


def test_kendall_is_a_metric_whose_largest_distance_is_a_reversal() -> None:
    distances = orders.KENDALL
    assert distances.dtype == np.float64
    assert np.array_equal(distances, distances.T)
    assert np.array_equal(distances == 0, np.eye(120, dtype=bool))
    # In tenths, since sums of tenths round.
    tenths = np.rint(10 * distances).astype(int)
    assert (tenths[:, None, :] <= tenths[:, :, None] + tenths.T[None, :, :]).all()
    for workflow_id, order in enumerate(orders.ORDERS):
        (reversed_id,) = np.flatnonzero(distances[workflow_id] == 1)
        assert orders.ORDERS[reversed_id].tolist() == order[::-1].tolist()


def test_precedences_follow_the_pairs() -> None:
    assert orders.NUM_PAIRS == 10
    assert orders.PRECEDENCES.shape == (120, 10)
    for column, (i, j) in enumerate(orders.PAIRS):
        assert i < j
        before = orders.POSITIONS[:, i] < orders.POSITIONS[:, j]
        assert np.array_equal(orders.PRECEDENCES[:, column], before)
        assert before.sum() == 60


@pytest.mark.parametrize("workflow_id", [-1, 120])
def test_an_id_out_of_range_does_not_wrap_around(workflow_id: int) -> None:
    for call in (
        orders.one_hot,
        lambda w: orders.kendall_tau(0, w),
        lambda w: orders.kendall_tau(w, 0),
    ):
        with pytest.raises(IndexError, match=f"workflow {workflow_id} does not exist"):
            call(workflow_id)


@pytest.mark.parametrize("name", ["ORDERS", "POSITIONS", "PRECEDENCES", "KENDALL", "ONE_HOTS"])
def test_tables_are_read_only(name: str) -> None:
    with pytest.raises(ValueError, match="read-only"):
        getattr(orders, name)[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        orders.one_hot(3)[:] = 0


def test_importing_orders_costs_a_worker_nothing_but_numpy() -> None:
    code = (
        "import sys, pipeline.cage2.facts.orders\n"
        "heavy = {'torch', 'gpytorch', 'scipy', 'pydantic', 'csle_cyborg'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"
