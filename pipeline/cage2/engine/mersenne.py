"""Python's random number generator, MT19937, as the games draw from it.

Each game owns a generator: the fields `words`, `[624]` uint32, and `word_index` of its record. Seeded alike, it gives
word for word what `random.Random` gives, so that a game may be stopped anywhere, its generator compared with CPython's
(`get_state`) or replaced by it (`set_state`).

Reference: Matsumoto and Nishimura (1998), *Mersenne Twister: a 623-dimensionally equidistributed uniform pseudorandom
number generator*; CPython's `_randommodule.c` and `random.py` for what is made of its words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.numerics.compiled import compiled, int64

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Seeds = Sequence[int | None] | npt.NDArray[np.uint64]
    """`[n]`. With None a generator is not seeded and goes on."""

NUM_WORDS = 624
SHIFT_SIZE = 397
"""Distance of the word that a twist mixes in."""
WORD_MASK = 0xFFFFFFFF
UPPER_MASK = 0x80000000
LOWER_MASK = 0x7FFFFFFF
TWIST_MATRIX = 0x9908B0DF

STATE_VERSION = 3
"""First entry of `random.getstate()`."""


def _genrand(seed: int) -> npt.NDArray[np.uint32]:
    words = [seed]
    for i in range(1, NUM_WORDS):
        words.append((1812433253 * (words[-1] ^ (words[-1] >> 30)) + i) & WORD_MASK)
    return np.array(words, dtype=np.uint32)


SEEDING_START = _genrand(19650218)
"""`[624]` uint32: where seeding by an array starts from, whatever the seed."""


def seed_key(seed: int) -> npt.NDArray[np.uint32]:
    """Return the key that `random.seed(seed)` seeds with.

    Args:
        seed: Any int. Its sign is dropped, as CPython does.

    Returns:
        `[n]` uint32, `n >= 1`: the words of `abs(seed)`, least significant first.
    """
    magnitude = abs(seed)
    num_words = max(1, -(-magnitude.bit_length() // 32))
    return np.array([(magnitude >> (32 * i)) & WORD_MASK for i in range(num_words)], dtype=np.uint32)


def seed_keys(seeds: Seeds) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return the keys of `n` seeds, `[n, k]`, and `[n]`, how much of each counts: 0 where there is no seed."""
    if isinstance(seeds, np.ndarray) and seeds.dtype == np.uint64:
        keys = np.stack([seeds & np.uint64(WORD_MASK), seeds >> np.uint64(32)], axis=1).astype(np.uint32)
        return keys, 1 + (keys[:, 1] > 0).astype(np.int64)
    parts = [np.zeros(0, dtype=np.uint32) if seed is None else seed_key(int(seed)) for seed in seeds]
    lengths = np.array([len(part) for part in parts], dtype=np.int64)
    keys = np.zeros((len(parts), int(lengths.max(initial=1))), dtype=np.uint32)
    for key, part in zip(keys, parts, strict=True):
        key[: len(part)] = part
    return keys, lengths


def keys_of(seeds: Seeds, num_games: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return `seed_keys` of the seeds of so many games.

    Raises:
        ValueError: There is not one seed for each.
    """
    if len(seeds) != num_games:
        raise ValueError(f"{len(seeds)} seeds for {num_games} games: give one for each")
    return seed_keys(seeds)


@compiled
def seed_generator(game: Any, key: npt.NDArray[np.uint32]) -> None:
    """Seed as `random.seed` does by the key of a seed (`seed_key`), which is CPython's `init_by_array`."""
    words = game.words
    for k in range(NUM_WORDS):
        words[k] = SEEDING_START[k]
    num_keys = len(key)
    i = 1
    j = 0
    previous = int64(words[0])
    for _ in range(max(NUM_WORDS, num_keys)):
        mixed = (previous ^ (previous >> 30)) * 1664525
        previous = ((int64(words[i]) ^ mixed) + int64(key[j]) + j) & WORD_MASK
        words[i] = previous
        i += 1
        j += 1
        if i == NUM_WORDS:
            words[0] = previous
            i = 1
        if j == num_keys:
            j = 0
    for _ in range(NUM_WORDS - 1):
        mixed = (previous ^ (previous >> 30)) * 1566083941
        previous = ((int64(words[i]) ^ mixed) - i) & WORD_MASK
        words[i] = previous
        i += 1
        if i == NUM_WORDS:
            words[0] = previous
            i = 1
    words[0] = UPPER_MASK
    game.word_index = NUM_WORDS


@compiled
def seed_generator_64(game: Any, seed: np.uint64) -> None:
    """Seed as `random.seed` does by an unsigned 64-bit seed."""
    key = np.empty(2, dtype=np.uint32)
    key[0] = seed & np.uint64(WORD_MASK)
    key[1] = seed >> np.uint64(32)
    seed_generator(game, key if key[1] else key[:1])


@compiled
def twist(game: Any) -> None:
    """Replace all words by their successors."""
    words = game.words
    for i in range(NUM_WORDS - SHIFT_SIZE):
        mixed = (words[i] & UPPER_MASK) | (words[i + 1] & LOWER_MASK)
        words[i] = words[i + SHIFT_SIZE] ^ (mixed >> 1) ^ ((mixed & 1) * TWIST_MATRIX)
    for i in range(NUM_WORDS - SHIFT_SIZE, NUM_WORDS - 1):
        mixed = (words[i] & UPPER_MASK) | (words[i + 1] & LOWER_MASK)
        words[i] = words[i + SHIFT_SIZE - NUM_WORDS] ^ (mixed >> 1) ^ ((mixed & 1) * TWIST_MATRIX)
    mixed = (words[NUM_WORDS - 1] & UPPER_MASK) | (words[0] & LOWER_MASK)
    words[NUM_WORDS - 1] = words[SHIFT_SIZE - 1] ^ (mixed >> 1) ^ ((mixed & 1) * TWIST_MATRIX)


@compiled
def next_word(game: Any) -> int:
    """Return the next 32 random bits."""
    index = game.word_index
    if index >= NUM_WORDS:
        twist(game)
        index = 0
    game.word_index = index + 1
    word = int64(game.words[index])
    word ^= word >> 11
    word ^= (word << 7) & 0x9D2C5680
    word ^= (word << 15) & 0xEFC60000
    return word ^ (word >> 18)


@compiled
def draw_below(game: Any, limit: int, num_bits: int) -> int:
    """Return a uniform integer below `limit`, by rejection; `num_bits` is the bit length of `limit` itself.

    Pitfall: bits are counted of the limit, not of the largest result, so a power of two rejects half of the words.
    """
    shift = 32 - num_bits
    value = next_word(game) >> shift
    while value >= limit:
        value = next_word(game) >> shift
    return value


@compiled
def draw_only(game: Any) -> None:
    """Choose from a list of one.

    Pitfall: that is `draw_below(game, 1, 1)`, and consumes a word for each 1 bit until a 0 comes.
    """
    while next_word(game) >> 31:
        pass


@compiled
def draw_uniform(game: Any) -> float:
    """Return a uniform float64 in [0, 1), of 53 bits from two words."""
    high = next_word(game) >> 5
    low = next_word(game) >> 6
    return (high * 67108864.0 + low) / 9007199254740992.0


HOST_ORDER = int64(0xCBA9876543210)
"""The 13 hosts in the order of their indices: 4 bits each, the first in the lowest."""


@compiled
def shuffle_hosts(game: Any, order: int) -> int:
    """Return the 13 hosts as `random.shuffle` leaves a list of them: 4 bits each, as in `HOST_ORDER`.

    Twelve draws, `draw_below(i + 1)` for i = 12 to 1, each followed by a swap of entries i and j. They are written out,
    without a branch on rejection, because Meander spends most of its words here: a rejected word swaps nothing.
    """
    words = game.words
    index = game.word_index
    i = 12
    while i > 0:
        if index >= NUM_WORDS:
            twist(game)
            index = 0
        word = int64(words[index])
        index += 1
        word ^= word >> 11
        word ^= (word << 7) & 0x9D2C5680
        word ^= (word << 15) & 0xEFC60000
        word ^= word >> 18
        j = word >> (28 + (i < 7) + (i < 3))  # 4 bits below 14, 3 below 8, 2 below 4
        is_taken = int64(j <= i)
        difference = ((order >> (4 * i)) ^ (order >> (4 * j))) & (15 * is_taken)
        order ^= (difference << (4 * i)) | (difference << (4 * j))
        i -= is_taken
    game.word_index = index
    return order


def get_state(game: Any) -> tuple[int, tuple[int, ...], None]:
    """Return the generator's state as `random.getstate()` gives it, when no normal variate is kept back."""
    return STATE_VERSION, (*game["words"].tolist(), int(game["word_index"])), None


def set_state(game: Any, state: tuple[int, tuple[int, ...], object]) -> None:
    """Go on from a state that `random.getstate()` gave.

    Raises:
        ValueError: The state isn't one of MT19937 as this version of Python gives it.
    """
    version, internal, _ = state
    if version != STATE_VERSION or len(internal) != NUM_WORDS + 1:
        raise ValueError(
            f"not a state of random.Random: version {version} with {len(internal)} numbers, "
            f"expected version {STATE_VERSION} with {NUM_WORDS + 1}"
        )
    if not 0 <= internal[-1] <= NUM_WORDS:
        raise ValueError(f"not a state of random.Random: {internal[-1]} is no place among {NUM_WORDS} words")
    game["words"] = internal[:-1]
    game["word_index"] = internal[-1]
