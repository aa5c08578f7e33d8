from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import seeding
from pipeline.seeding import Purpose, Stream, episode_seeds, generator, splitmix64, uniforms

RUN_SEEDS = st.integers(0, 2**63 - 1)
WORDS = st.integers(0, 2**64 - 1)


def seed(run_seed: int, stream: Stream, *indices: int) -> int:
    return int(seeding._key(run_seed, stream, *indices)) >> 1


def test_splitmix64_gives_the_published_numbers() -> None:
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert splitmix64(np.uint64(1234567), np.arange(5, dtype=np.uint64)).tolist() == published


@given(WORDS, st.lists(WORDS, max_size=20))
def test_splitmix64_is_the_generator_stepped_to_an_index(key: int, indices: list[int]) -> None:
    mask = 2**64 - 1

    def output(index: int) -> int:
        word = (key + (index + 1) * seeding.GOLDEN_GAMMA) & mask
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & mask
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & mask
        return word ^ (word >> 31)

    words = splitmix64(np.uint64(key), np.array(indices, dtype=np.uint64))
    assert words.dtype == np.uint64
    assert words.tolist() == [output(index) for index in indices]


def test_the_streams_are_numbered_for_ever() -> None:
    numbers = {
        "ENVIRONMENT": 0,
        "ACTIONS": 1,
        "POLICY_INIT": 2,
        "MINIBATCHES": 3,
        "SEARCH": 4,
        "EVALUATION_ENVIRONMENT": 5,
        "EVALUATION_ACTIONS": 6,
        "COMPARISON_ENVIRONMENT": 7,
        "COMPARISON_ACTIONS": 8,
    }
    assert {stream.name: stream.value for stream in Stream}.items() >= numbers.items()


# What follows is the identity of every run that was ever made: a change here makes old results unrepeatable.


@pytest.mark.parametrize(
    ("stream", "first", "last", "numbers"),
    [
        (Stream.ENVIRONMENT, 0x3C26FD966FFBDA08, 0x66A5481C4155DBFE, [8697063857760222071, 2917695245530671819]),
        (Stream.ACTIONS, 0x21DFFFBD141053D7, 0x4F469E92D694F7CE, [6246038554070098266, 2241157181836120544]),
        (Stream.POLICY_INIT, 0x7229D801609A4304, 0x17A2DA016C7AE126, [7731686665370224177, 772221737696659868]),
        (Stream.MINIBATCHES, 0x5BDC1A76EDD9E5DF, 0x594091F0F11AA84, [3361305138638366626, 4716249499733159956]),
        (Stream.SEARCH, 0x741A1CEA2441837C, 0x17625AFBA3A2ECF0, [6022608996314427920, 2987991304751034351]),
    ],
)
def test_a_stream_gives_the_numbers_that_it_always_gave(
    stream: Stream, first: int, last: int, numbers: list[int]
) -> None:
    assert seed(0, stream) == first
    assert seed(2**63 - 1, stream, 119, 7) == last
    assert generator(0, stream).integers(2**63, size=2).tolist() == numbers


def test_episodes_have_the_seeds_that_they_always_had() -> None:
    environment, actions = episode_seeds(0, 0, [0, 1, 99999])
    assert environment.tolist() == [0x59DC834094E0B08C, 0x48725C4B75CBCFF7, 0x518A5081CD02D8C]
    assert actions.tolist() == [0xCDB8E5BA976EF82A, 0xD70F4726714494B3, 0x7417E15EAB707C1]
    environment, actions = episode_seeds(2**63 - 1, 119, [0, 7])
    assert environment.tolist() == [0x9AF50ACD0B10B3AF, 0xCF068A4F8CD16D07]
    assert actions.tolist() == [0xE04F8EB6DFD3F8A9, 0x522D13410F6F0544]


@pytest.mark.parametrize(
    ("purpose", "seeds"),
    [
        (Purpose.EVALUATION, (0x51D2BC1E52DC9EA4, 0xEE44CB6BB6B38884)),
        (Purpose.COMPARISON, (0x303D794ECBF05109, 0xFE9E94E9BCFCA0D2)),
    ],
)
def test_evaluations_have_the_seeds_that_they_always_had(purpose: Purpose, seeds: tuple[int, int]) -> None:
    environment, actions = episode_seeds(0, 3, [7], purpose)
    assert (int(environment[0]), int(actions[0])) == seeds


def test_actions_are_sampled_with_the_numbers_that_they_always_were() -> None:
    assert uniforms(0, 3).tolist() == [0.8833108082136426, 0.43152799704850997, 0.026433771592597743]
    assert uniforms(2**64 - 1, 2).tolist() == [0.8939429202831845, 0.9125972035944532]


@given(WORDS, st.integers(0, 200))
def test_uniforms_lie_in_0_to_1_and_a_longer_episode_begins_alike(actions_seed: int, num_steps: int) -> None:
    numbers = uniforms(actions_seed, num_steps)
    assert (numbers.shape, numbers.dtype) == ((num_steps,), np.float64)
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert (numbers * 2**53 % 1 == 0).all()
    np.testing.assert_array_equal(uniforms(actions_seed, num_steps + 1)[:num_steps], numbers)


def test_uniforms_are_spread_evenly() -> None:
    numbers = uniforms(3, 100_000)
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    assert np.abs(counts - 10_000).max() < 500  # five standard deviations


@given(RUN_SEEDS, st.integers(0, 119), st.lists(st.integers(0, 2**40), min_size=1, max_size=20))
def test_an_episodes_seeds_depend_on_its_own_index_alone(run_seed: int, workflow_id: int, indices: list[int]) -> None:
    together = episode_seeds(run_seed, workflow_id, indices)
    for row, index in enumerate(indices):
        alone = episode_seeds(run_seed, workflow_id, [index])
        assert [int(seeds[0]) for seeds in alone] == [int(seeds[row]) for seeds in together]


@given(RUN_SEEDS)
def test_no_two_uses_share_a_seed(run_seed: int) -> None:
    uses = [(stream, index) for stream in Stream for index in range(3)]
    assert len({seed(run_seed, stream, index) for stream, index in uses}) == len(uses)
    of_episodes = [
        seeds
        for purpose in Purpose
        for group in range(3)
        for kind in episode_seeds(run_seed, group, range(50), purpose)
        for seeds in kind
    ]
    assert len({int(seeds) for seeds in of_episodes}) == len(Purpose) * 3 * 2 * 50


def test_generators_of_one_use_are_alike_and_apart() -> None:
    one, other = generator(5, Stream.MINIBATCHES, 1, 2), generator(5, Stream.MINIBATCHES, 1, 2)
    np.testing.assert_array_equal(one.permutation(100), other.permutation(100))
    assert one is not other
    assert not np.array_equal(generator(5, Stream.MINIBATCHES, 2, 1).permutation(100), other.permutation(100))


def test_a_single_index_neither_warns_nor_differs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        environment, actions = episode_seeds(0, 0, 1)
    assert (int(environment), int(actions)) == (0x48725C4B75CBCFF7, 0xD70F4726714494B3)


def test_a_negative_index_is_refused() -> None:
    with pytest.raises((OverflowError, ValueError)):
        episode_seeds(0, 0, [-1])
    with pytest.raises(ValueError, match="non-negative"):
        seed(-1, Stream.SEARCH)
