from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.play.record import ERROR_TEXT_BYTES, HEADER, failure_told, read_failure, record_layout, write_failure
from pipeline.ppo.batch import Batch


@pytest.mark.parametrize("num_steps", [1, 7, 100])
def test_a_record_fits_a_row_of_a_batch_bit_by_bit(num_steps: int) -> None:
    layout = record_layout(num_steps, OBSERVATION_SIZE)
    rng = np.random.default_rng(num_steps)
    buffer = bytearray(rng.integers(0, 256, layout.size_bytes, np.uint8).tobytes())
    record = layout.views(memoryview(buffer))
    batch = Batch(2, num_steps)
    batch.put(1, record, workflow_id=7)

    for name, view in record.items():
        assert getattr(batch, name)[1].tobytes() == view.tobytes()


def test_an_episode_is_small() -> None:
    assert record_layout(100, OBSERVATION_SIZE).size_bytes + HEADER.size_bytes < 7000


def test_nothing_that_an_episode_can_hold_is_poison() -> None:
    poison = {field.name: field.poison for field in record_layout(100, OBSERVATION_SIZE).fields}

    assert all(value is not None for value in poison.values())
    assert poison["observation"] not in (0, 1)
    assert poison["action"] not in range(NUM_ACTIONS)
    assert poison["fix"] not in (0, 1, 2)
    assert poison["log_prob"] != poison["log_prob"]  # NaN
    # a step costs at most 10 for the service, 1 for a restoration, and 1 for each of 13 hosts
    assert poison["reward_tenths"] not in range(-(10 + 1 + 13) * 10, 1)


def fresh_header() -> dict[str, np.ndarray]:
    return HEADER.views(memoryview(bytearray(HEADER.size_bytes)))


@given(
    st.fixed_dictionaries(
        {
            "workflow_id": st.integers(0, 119),
            "weight_version": st.integers(0, 2**63 - 1),
            "environment_seed": st.integers(0, 2**64 - 1),
            "actions_seed": st.integers(0, 2**64 - 1),
            "worker_pid": st.integers(0, 2**22),  # the largest pid_max that Linux has
            "greedy": st.integers(0, 1),
            "failed": st.integers(0, 1),
        }
    )
)
def test_a_header_holds_every_number_it_is_given(values: dict[str, int]) -> None:
    header = fresh_header()
    for name, value in values.items():
        header[name][...] = value
    header["error_text"][...] = b"x" * (ERROR_TEXT_BYTES + 1)

    assert {name: int(header[name]) for name in values} == values
    assert header["error_text"].item() == b"x" * ERROR_TEXT_BYTES


@given(text=st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=800))
def test_the_end_of_a_failure_is_kept(text: str) -> None:
    header = fresh_header()
    assert read_failure(header) is None
    write_failure(header, text)
    told = read_failure(header)

    assert told is not None
    whole = text.encode(errors="replace")
    if len(whole) <= ERROR_TEXT_BYTES:
        assert told == whole.decode()
    else:  # what was cut off may have been half a character
        assert whole.decode().endswith(told.lstrip("\N{REPLACEMENT CHARACTER}"))
        assert len(told.encode()) > ERROR_TEXT_BYTES - 4


def test_a_failure_is_told_and_not_raised_and_nothing_else_is_touched() -> None:
    header = fresh_header()
    with failure_told(header):
        header["workflow_id"][...] = 5
    assert read_failure(header) is None
    with failure_told(header):
        raise LookupError("no such thing")
    assert (read_failure(header) or "").endswith("LookupError: no such thing\n")
    assert header["workflow_id"] == 5


def test_what_is_not_to_be_told_is_raised() -> None:
    header = fresh_header()
    with pytest.raises(SystemExit), failure_told(header):
        sys.exit()
    with pytest.raises(LookupError), failure_told(header, OSError):
        raise LookupError
    assert read_failure(header) is None
    with failure_told(header, (LookupError, SystemExit)):
        sys.exit("told")
    assert "SystemExit: told" in (read_failure(header) or "")
