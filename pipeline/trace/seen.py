"""What Blue sees, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.blue.interface import DECOYS_OF_HOST, HOSTS_THAT_MATTER, NUM_TENTHS, REMEMBERED
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.table import ACTIVITIES, ACTIVITY_BITS, CONDITION_BITS, CONDITIONS
from pipeline.trace.trace import Seen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_CELLS = {
    (*activity_bits, *condition_bits): (activity, condition)
    for activity_bits, activity in zip(ACTIVITY_BITS, ACTIVITIES, strict=True)
    for condition_bits, condition in zip(CONDITION_BITS, CONDITIONS, strict=True)
}
"""What a host's four bits say."""
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
