"""What Blue sees, in words, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.blue.interface import DECOYS_OF_HOST, HOSTS_THAT_MATTER, MAIL_HOSTS, NUM_TENTHS, REMEMBERED
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.table import ACTIVITIES, ACTIVITY_BITS, CONDITION_BITS, CONDITIONS
from pipeline.trace.trace import Seen

if TYPE_CHECKING:
    import numpy.typing as npt

_CELLS = {
    (*activity_bits, *condition_bits): (activity, condition)
    for activity_bits, activity in zip(ACTIVITY_BITS, ACTIVITIES, strict=True)
    for condition_bits, condition in zip(CONDITION_BITS, CONDITIONS, strict=True)
}
"""What a host's four bits say."""
_BITS_OF_CELL = {cell: bits for bits, cell in _CELLS.items()}
_NOTHING = ("None", "No")


def _memory_names() -> tuple[str, ...]:
    hosts = [spec.HOST_NAMES[host] for host in HOSTS_THAT_MATTER]
    decoys = [
        f"{spec.DECOYS[kind].name} {spec.HOST_NAMES[host]}"
        for host, kinds in enumerate(DECOYS_OF_HOST)
        for kind in kinds
    ]
    of_what = {
        **dict.fromkeys(("scanned", "last_active", "unanswered", "suspects"), hosts),
        **dict.fromkeys(("faked", "faked_first"), decoys),
        "restored": [spec.HOST_NAMES[host] for host in MAIL_HOSTS],
        "time": [f"{tenths}/{NUM_TENTHS}" for tenths in range(1, NUM_TENTHS)],
        "was_exploit": [""],
    }
    return tuple(f"{kind} {what}".rstrip() for kind in REMEMBERED for what in of_what[kind])


MEMORY_NAMES = _memory_names()
"""`[MEMORY_SIZE]`: what each bit of a memory is called, by its kind in `interface.REMEMBERED`: `suspects User1`."""


def in_words(bits: npt.NDArray[np.int8]) -> Seen:
    """Return what the bits say.

    Args:
        bits: `[observation_size]` in {0, 1}: what a policy sees, with a memory or without.
    """
    values = bits.tolist()
    table = {}
    for host, name in enumerate(spec.HOST_NAMES):
        first = spec.BITS_PER_HOST * host
        cell = _CELLS[tuple(values[first : first + spec.BITS_PER_HOST])]
        if cell != _NOTHING:
            table[name] = cell
    memory = values[spec.OBSERVATION_SIZE :]
    return Seen(table, tuple(name for name, bit in zip(MEMORY_NAMES, memory, strict=False) if bit))


def as_bits(seen: Seen, observation_size: int) -> npt.NDArray[np.int8]:
    """Return the bits that `in_words` was told of.

    Args:
        seen: Words.
        observation_size: With a memory, or without.

    Returns:
        `[observation_size]` in {0, 1}.

    Raises:
        ValueError: They are not what any bits of this size say.
    """
    bits = np.zeros(observation_size, np.int8)
    try:
        for name, cell in seen.table.items():
            first = spec.BITS_PER_HOST * spec.HOST_NAMES.index(name)
            bits[first : first + spec.BITS_PER_HOST] = _BITS_OF_CELL[cell]
        for name in seen.memory:
            bits[spec.OBSERVATION_SIZE + MEMORY_NAMES.index(name)] = 1
    except (KeyError, ValueError, IndexError):
        raise ValueError(f"not what Blue sees by {observation_size} bits") from None
    return bits
