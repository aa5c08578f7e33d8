import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.cyborg.blue_table import BlueTable, Connection, activity
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.table import EXPLOIT, NONE, SCAN

HOST = 3
SMALL_SCAN = [(22, 50000)]
LARGE_SCAN = [(22, 50000), (80, 50001), (443, 50002)]
DETECTED_SHELL = [(80, 50000), (50001, 4444)]
UNDETECTED_SHELL = [(80, 50000)]
ATTACKED_DECOY: list[Connection] = [(80, 50000), (80, None)]
BRUTE_FORCE = [(22, 50000 + number) for number in range(11)]


@pytest.mark.parametrize(
    ("connections", "alone", "with_decoy"),
    [
        (LARGE_SCAN, SCAN, SCAN),
        (SMALL_SCAN, SCAN, NONE),
        ([(53, 50000), (53, 50001)], SCAN, EXPLOIT),
        (DETECTED_SHELL, EXPLOIT, EXPLOIT),
        (UNDETECTED_SHELL, SCAN, NONE),
        (ATTACKED_DECOY, SCAN, EXPLOIT),
        (BRUTE_FORCE, EXPLOIT, EXPLOIT),
    ],
)
def test_what_red_does_and_what_blue_takes_it_for(connections: list[Connection], alone: int, with_decoy: int) -> None:
    assert activity(connections, decoy_placed=False) == alone
    assert activity(connections, decoy_placed=True) == with_decoy


def play(
    table: BlueTable,
    action: str = "Sleep",
    connections: list[Connection] | None = None,
    *,
    decoy_placed: bool = False,
    malware_found: bool = False,
) -> list[int]:
    """Return the four bits of `HOST` after a step, and check that the others stay 0."""
    vector = table.update(
        spec.ACTION_NAMES.index(action if action == "Sleep" else f"{action} {spec.HOST_NAMES[HOST]}"),
        {HOST: connections} if connections else {},
        decoy_placed=decoy_placed,
        malware_found=malware_found,
    )
    assert vector.dtype == np.int8
    assert vector.shape == (spec.OBSERVATION_SIZE,)
    bits = vector.reshape(spec.NUM_HOSTS, spec.BITS_PER_HOST)
    assert not np.delete(bits, HOST, axis=0).any()
    return bits[HOST].tolist()


def test_activity_lasts_a_step_and_a_condition_until_it_changes() -> None:
    table = BlueTable()
    assert play(table) == [0, 0, 0, 0]
    assert play(table, connections=SMALL_SCAN) == [1, 0, 0, 0]
    assert play(table) == [0, 0, 0, 0]
    assert play(table, connections=DETECTED_SHELL) == [1, 1, 0, 1]
    assert play(table) == [0, 0, 0, 1]
    assert play(table, "Analyse", malware_found=True) == [0, 0, 1, 1]
    assert play(table, connections=BRUTE_FORCE) == [1, 1, 0, 1]  # an exploit hides what was known to be worse
    assert play(table, "Remove") == [0, 0, 1, 0]
    assert play(table, "Remove") == [0, 0, 1, 0]
    assert play(table, "Restore") == [0, 0, 0, 0]
    assert play(table, "Remove") == [0, 0, 0, 0]


def test_the_action_comes_before_the_events_and_the_analysis_after_them() -> None:
    table = BlueTable()
    play(table, connections=DETECTED_SHELL)
    assert play(table, "Restore", DETECTED_SHELL) == [1, 1, 0, 1]
    assert play(table, "Analyse", DETECTED_SHELL, malware_found=True) == [1, 1, 1, 1]


def test_a_decoy_counts_on_its_own_host_only() -> None:
    table = BlueTable()
    assert play(table, "DecoyTomcat", SMALL_SCAN, decoy_placed=True) == [0, 0, 0, 0]
    assert play(table, "DecoyTomcat", SMALL_SCAN, decoy_placed=False) == [1, 0, 0, 0]
    other = spec.ACTION_NAMES.index("DecoyTomcat Defender")
    vector = table.update(other, {HOST: SMALL_SCAN}, decoy_placed=True, malware_found=False)
    assert vector[4 * HOST] == 1


def test_the_vector_is_the_caller_s_own() -> None:
    table = BlueTable()
    first = table.update(0, {HOST: DETECTED_SHELL}, decoy_placed=False, malware_found=False)
    first[:] = 1
    assert play(table) == [0, 0, 0, 1]


@given(
    st.lists(
        st.tuples(
            st.integers(0, spec.NUM_ACTIONS - 1),
            st.dictionaries(
                st.integers(0, 12),
                st.lists(st.tuples(st.sampled_from([22, 80, 443]), st.sampled_from([None, 4444, 50000])), min_size=1),
                max_size=3,
            ),
        )
    )
)
def test_activity_bits_show_this_step_s_hosts_alone(steps: list[tuple[int, dict[int, list[Connection]]]]) -> None:
    table = BlueTable()
    for action, connections in steps:
        vector = table.update(action, connections, decoy_placed=False, malware_found=False)
        bits = vector.reshape(spec.NUM_HOSTS, spec.BITS_PER_HOST)
        assert set(np.flatnonzero(bits[:, 0])) == set(connections)
        assert ((bits == 0) | (bits == 1)).all()
        assert (bits[:, 0] >= bits[:, 1]).all()  # never exploited without being touched
