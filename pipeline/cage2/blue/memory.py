"""What Blue remembers of an episode: through it the policy sees, and by it the policy's choice becomes an action.

    begin -> see -> (choice) act -> (the game's step) see -> act -> ...

The memory follows from what Blue was shown, from what it did and from the time, and from nothing that Blue can't know;
so it is the same on both engines. Compiled rollouts call `begin`, `act` and `see`, all others go through `Memory`.

What a policy with a memory sees, bit by bit, is `interface.REMEMBERED`. Two kinds of bits tell what Red remembers.
`faked_first`: Red aims at the ports that it found when it scanned a host. After Meander's only scan a decoy that stood
then draws attacks even when a Restore has removed it, and one that comes later draws none. `unanswered`: where an
exploit was not answered at once, Red may have escalated, and so have learned what the host leads to.

A host that is not suspected has no Red session. Red scans before it attacks, and an attack is shown as an exploit or as
another scan; what shows a host to be scanned or attacked is a sign. A decoy that is placed in the same step can hide
either, so placing one counts as a sign. Suspicion begins with an exploit, or with the second sign. A Restore ends it,
and so does an Analyse where no exploit was shown, if it finds nothing: what isn't shown as an exploit is a reverse
shell, and that leaves a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.blue.interface import (
    DECOYS_OF_HOST,
    FIRST_BIT,
    HOSTS_THAT_MATTER,
    MAIL_HOSTS,
    MERGED,
    NEXT_DECOY,
    NUM_TENTHS,
    Interface,
)
from pipeline.cage2.engine.tables import BASE_PORTS, DECOY_FREE_PORT, DECOY_HOSTS, DECOY_PORT
from pipeline.cage2.facts.spec import ANALYSE, BITS_PER_HOST, DECOY, NUM_HOSTS, OBSERVATION_SIZE, RESTORE
from pipeline.numerics.compiled import COMPILED, compiled, kernel

if TYPE_CHECKING:
    import numpy.typing as npt

_HOSTS, _MAIL_HOSTS = np.array(HOSTS_THAT_MATTER), np.array(MAIL_HOSTS)
_DECOY_HOST = np.array([host for host in range(NUM_HOSTS) for _ in DECOYS_OF_HOST[host]])
_DECOY_KIND = np.array([kind for kinds in DECOYS_OF_HOST for kind in kinds])
_DECOY_PORT = np.array([DECOY_PORT[kind] for kind in _DECOY_KIND])
_NUM_THAT_MATTER, _NUM_MAIL_HOSTS, _NUM_DECOYS = len(_HOSTS), len(_MAIL_HOSTS), len(_DECOY_HOST)
# where each kind of `interface.REMEMBERED` begins in what the policy sees
_SCANNED, _LAST_ACTIVE, _WAS_EXPLOIT = FIRST_BIT["scanned"], FIRST_BIT["last_active"], FIRST_BIT["was_exploit"]
_UNANSWERED, _SUSPECTS = FIRST_BIT["unanswered"], FIRST_BIT["suspects"]
_FAKED, _FAKED_FIRST = FIRST_BIT["faked"], FIRST_BIT["faked_first"]
_RESTORED, _TIME = FIRST_BIT["restored"], FIRST_BIT["time"]

MEMORY = np.dtype(
    [
        # which interface
        ("is_merged", np.int64),
        ("is_seen", np.int64),  # the policy sees what is remembered
        ("num_actions", np.int64),
        ("observation_size", np.int64),
        # what is remembered
        ("num_steps", np.int64),  # of the whole episode
        ("step", np.int64),  # the next one's number
        ("active", np.int64),  # hosts scanned or exploited in the last step, as a mask
        ("exploited", np.int64),  # those that were exploited
        ("scanned", np.int64),  # hosts scanned or exploited before that step
        ("last_active", np.int64),  # the `active` ones of the last step before that had any
        ("was_exploit", np.int64),  # one of them was exploited
        ("unanswered", np.int64),  # hosts that were exploited, and not restored in the step that followed
        ("suspects", np.int64),  # hosts that Red may have a session on
        ("restored", np.int64),  # hosts that were restored
        ("maybe_scanned", np.int64),  # hosts that had a sign of Red, or a decoy placed, which may hide one
        ("decoyed", np.int64),  # the host that Blue's last action placed a decoy on, as a mask
        ("analysed", np.int64),  # the host that Blue's last action analysed, as a mask
        ("faked_first", np.int64, (NUM_HOSTS,)),  # `faked` when the host was first scanned or exploited
        ("faked", np.int64, (NUM_HOSTS,)),  # ports that decoys of each host listen on, as a mask
    ],
    align=True,
)
"""What Blue remembers of one game."""


class Memory:
    """Blue's memory of one episode after the other.

    Args:
        interface: What the policy sees and may do.
    """

    def __init__(self, interface: Interface) -> None:
        zeros: npt.NDArray[np.void] = np.zeros(1, dtype=MEMORY)
        self.state = zeros if COMPILED else zeros.view(np.recarray)
        """`[1]` of `MEMORY`: what kernels take."""
        self.state["is_merged"] = interface.actions == "merged"
        self.state["is_seen"] = interface.observation_memory
        self.state["num_actions"] = interface.num_actions
        self.state["observation_size"] = interface.observation_size

    def begin(self, num_steps: int, table: npt.NDArray[np.int8], row: npt.NDArray[np.int8]) -> None:
        """Forget the last episode, and see the first observation.

        Args:
            num_steps: Of the episode that begins.
            table: `[52]` int8 in {0, 1}, as `Cage2Env.reset` returns it.
            row: `[observation_size]` int8: what the policy sees, written.

        Raises:
            ValueError: An array is of another size.
        """
        if not _begin(self.state, num_steps, table, row):
            raise ValueError(self._sizes_differ(table, row))

    def act(self, choice: int) -> int:
        """Return the id of what the policy chose, 0 to 144, and remember that Blue did it.

        Args:
            choice: Index among the interface's actions.

        Raises:
            ValueError: There is no such action.
        """
        action = int(_act(self.state, choice))
        if action < 0:
            num_actions = self.state["num_actions"][0]
            raise ValueError(f"choice {choice} is not one of the interface's actions, 0 to {num_actions - 1}")
        return action

    def see(self, table: npt.NDArray[np.int8], row: npt.NDArray[np.int8]) -> None:
        """See what came of a step.

        Args:
            table: `[52]` int8 in {0, 1}, as `Cage2Env.step` returns it.
            row: `[observation_size]` int8: what the policy sees, written.

        Raises:
            ValueError: An array is of another size.
        """
        if not _see(self.state, table, row):
            raise ValueError(self._sizes_differ(table, row))

    def _sizes_differ(self, table: npt.NDArray[np.int8], row: npt.NDArray[np.int8]) -> str:
        sizes = OBSERVATION_SIZE, int(self.state["observation_size"][0])
        return f"a table and a row of {sizes} values, not {len(table), len(row)}"


@compiled
def begin(memory: Any, num_steps: int) -> None:
    """Remember nothing."""
    memory.num_steps = num_steps
    memory.step = 0
    memory.active = 0
    memory.exploited = 0
    memory.scanned = 0
    memory.last_active = 0
    memory.was_exploit = 0
    memory.unanswered = 0
    memory.suspects = 0
    memory.restored = 0
    memory.maybe_scanned = 0
    memory.decoyed = 0
    memory.analysed = 0
    for host in range(NUM_HOSTS):
        memory.faked_first[host] = 0
        memory.faked[host] = 0


@compiled
def act(memory: Any, choice: int) -> int:
    """Return the id of what the policy chose, and remember that Blue did it; see `Memory.act`."""
    if not (memory.is_merged or memory.is_seen):
        return choice
    action = choice
    if memory.is_merged:
        action = MERGED[choice]
        if action <= NEXT_DECOY:
            action = next_decoy(memory, NEXT_DECOY - action)
    memory.step += 1
    restored = 1 << (action - RESTORE) if action >= RESTORE else 0
    memory.unanswered |= memory.exploited & ~restored
    memory.suspects &= ~restored
    memory.restored |= restored
    memory.decoyed = 0
    memory.analysed = 1 << (action - ANALYSE) if ANALYSE <= action < ANALYSE + NUM_HOSTS else 0
    if action >= RESTORE:
        memory.faked[action - RESTORE] = 0
    elif action >= DECOY:
        kind = (action - DECOY) // NUM_HOSTS
        host = (action - DECOY) - kind * NUM_HOSTS
        listening = BASE_PORTS[host] | memory.faked[host]
        if (DECOY_HOSTS[kind] >> host) & 1 and listening & DECOY_FREE_PORT[kind] == 0:
            memory.faked[host] |= DECOY_PORT[kind]
            memory.decoyed = 1 << host
    return action


@compiled
def next_decoy(memory: Any, host: int) -> int:
    """Return the id of the first of a host's decoys whose port is not faked; of the last, which fails, if all are."""
    kind = 0
    for place in range(_NUM_DECOYS):
        if _DECOY_HOST[place] == host:
            kind = _DECOY_KIND[place]
            if memory.faked[host] & _DECOY_PORT[place] == 0:
                break
    return DECOY + NUM_HOSTS * kind + host


@compiled
def see(memory: Any, table: npt.NDArray[np.int8], row: npt.NDArray[np.int8]) -> None:
    """Write what the policy sees, and remember it; see `Memory.see`."""
    for i in range(OBSERVATION_SIZE):
        row[i] = table[i]
    if not memory.is_seen:
        return
    if memory.active:
        memory.scanned |= memory.active
        memory.last_active = memory.active
        memory.was_exploit = memory.exploited != 0
    memory.active = 0
    memory.exploited = 0
    for host in range(NUM_HOSTS):
        if table[BITS_PER_HOST * host]:  # scanned, or exploited
            memory.active |= 1 << host
            if not memory.scanned >> host & 1:
                memory.faked_first[host] = memory.faked[host]
        if table[BITS_PER_HOST * host + 1]:
            memory.exploited |= 1 << host
        looks_clean = not (table[BITS_PER_HOST * host + 2] or table[BITS_PER_HOST * host + 3])
        if memory.analysed >> host & 1 and looks_clean:
            memory.suspects &= ~(1 << host)
    signs = memory.active | memory.decoyed
    memory.suspects |= memory.exploited | (signs & memory.maybe_scanned)
    memory.maybe_scanned |= signs
    for place in range(_NUM_THAT_MATTER):
        row[_SCANNED + place] = (memory.scanned >> _HOSTS[place]) & 1
        row[_LAST_ACTIVE + place] = (memory.last_active >> _HOSTS[place]) & 1
        row[_UNANSWERED + place] = (memory.unanswered >> _HOSTS[place]) & 1
        row[_SUSPECTS + place] = (memory.suspects >> _HOSTS[place]) & 1
    for place in range(_NUM_MAIL_HOSTS):
        row[_RESTORED + place] = (memory.restored >> _MAIL_HOSTS[place]) & 1
    row[_WAS_EXPLOIT] = memory.was_exploit
    for place in range(_NUM_DECOYS):
        row[_FAKED + place] = memory.faked[_DECOY_HOST[place]] & _DECOY_PORT[place] != 0
        row[_FAKED_FIRST + place] = memory.faked_first[_DECOY_HOST[place]] & _DECOY_PORT[place] != 0
    for tenth in range(1, NUM_TENTHS):
        row[_TIME + tenth - 1] = NUM_TENTHS * memory.step >= tenth * memory.num_steps


@kernel
def _begin(
    memories: npt.NDArray[np.void], num_steps: int, table: npt.NDArray[np.int8], row: npt.NDArray[np.int8]
) -> bool:
    """Begin; return whether the arrays have the right sizes, without which nothing is done."""
    memory = memories[0]
    if len(table) != OBSERVATION_SIZE or len(row) != memory.observation_size:
        return False
    begin(memory, num_steps)
    see(memory, table, row)
    return True


@kernel
def _act(memories: npt.NDArray[np.void], choice: int) -> int:
    """Act; return the action's id, or -1 if there is no such choice and nothing was done."""
    memory = memories[0]
    return act(memory, choice) if 0 <= choice < memory.num_actions else -1


@kernel
def _see(memories: npt.NDArray[np.void], table: npt.NDArray[np.int8], row: npt.NDArray[np.int8]) -> bool:
    """See; return what `_begin` does."""
    memory = memories[0]
    if len(table) != OBSERVATION_SIZE or len(row) != memory.observation_size:
        return False
    see(memory, table, row)
    return True
