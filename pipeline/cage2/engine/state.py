"""The memory of a game: one record of fixed size, and three lists per host that grow with the episode.

    games  [B] of GAME                  everything of fixed size, by field: games["condition"] is [B, 13]
    lists  [B, 3, 13, room] int32       per host: Red's sessions, Blue's decoys, process ids that Blue suspects

An entry of a list is `pid | attribute << 16`: whether a session is privileged, which decoy it is. A list gains at most
one entry in a step, so `room - 1` steps can be played with no check inside the game. Functions of the game take the
record, `game`, and its own `[3, 13, room]` lists.

Where CybORG keeps a table of processes per host, three things are told apart here that never turn into one another:
a host's own processes (`tables`, the same in every episode), the processes of the sessions that all agents start with
(`starting_pids`), and those that come and go, which are Red's sessions and Blue's decoys. The order between them is not
lost: the host's own come first in every search, Red's sessions listen on no port, and of decoys only the kind matters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.cage2.engine.mersenne import NUM_WORDS
from pipeline.cage2.engine.tables import MAX_STARTING_SESSIONS, NUM_DECOYS
from pipeline.cage2.facts import spec
from pipeline.numerics.compiled import COMPILED, int64

Games = npt.NDArray[np.void]
"""`[B]` of `GAME`."""
Lists = npt.NDArray[np.int32]
"""`[B, 3, 13, room]`, or `[3, 13, room]` for one game."""

SESSIONS, DECOYS, SUSPECTS = int64(0), int64(1), int64(2)
"""The lists of a host, by their place in `lists`."""
NUM_LISTS = 3
PID_MASK = 0xFFFF
ATTRIBUTE = 1 << 16

HEAD, LEADERBOARD = 0, 1
"""Profiles: the game as it is today, and as it was when the contest ended."""
STOCK, CORRECTED = 0, 1
"""How the Blue table shows a host that got a decoy in the same step."""

PORT_WORDS = -(-spec.NUM_EPHEMERAL_PORTS // 32)

GAME = np.dtype(
    [
        # Which game is played ---------------------------------------------------------------------------
        ("red_agent", np.int64),  # place in spec.RED_AGENTS
        ("profile", np.int64),  # HEAD, LEADERBOARD
        ("table_kind", np.int64),  # STOCK, CORRECTED
        # The network ------------------------------------------------------------------------------------
        ("num_steps", np.int64),  # played since the reset; -1 before the first
        ("num_sessions", np.int64, (spec.NUM_HOSTS,)),  # length of the list of Red's sessions
        ("num_decoys", np.int64, (spec.NUM_HOSTS,)),  # length of the list of decoys
        ("num_suspects", np.int64, (spec.NUM_HOSTS,)),  # length of the list of suspected process ids
        ("red_hosts", np.int64),  # hosts with a Red session
        ("privileged_hosts", np.int64),  # hosts with a privileged one
        ("infected_hosts", np.int64),  # hosts with a malicious file
        ("patched_hosts", np.int64),  # hosts that were restored; matters in LEADERBOARD only
        ("decoy_kinds", np.int64, (spec.NUM_HOSTS,)),  # decoys that stand on each host
        ("listening", np.int64, (spec.NUM_HOSTS,)),  # ports that something listens on
        ("decoy_pid", np.int64, (spec.NUM_HOSTS, NUM_DECOYS)),  # on record as each decoy's service; -1 for none
        ("address_order", np.int64),  # hosts as Red lists their addresses; in the form of mersenne.HOST_ORDER
        ("num_starting_pids", np.int64, (spec.NUM_HOSTS,)),
        ("starting_pids", np.int64, (spec.NUM_HOSTS, MAX_STARTING_SESSIONS)),
        ("ot_running", np.int64),  # the OT service's process exists
        ("ot_active", np.int64),  # its record says that it was not stopped
        ("ot_on_record", np.int64),  # its record names the process
        # What Red knows ---------------------------------------------------------------------------------
        ("known_subnets", np.int64),
        ("known_addresses", np.int64),  # hosts whose address Red knows
        ("known_names", np.int64),  # hosts that Red can name
        ("port_memory", np.int64, (spec.NUM_HOSTS,)),  # ports of Red's last scan; 0 before it
        ("ot_known", np.int64),  # Red has seen the OT service
        ("red_success", np.int64),  # of Red's last action; 0 before the first, and after Sleep
        ("red_listing", np.int64),  # that action, a scan, listed its host
        # Red's agent ------------------------------------------------------------------------------------
        ("script_index", np.int64),  # B_line: place in its script
        ("script_seen", np.int64),  # B_line: places that were executed
        ("script_user", np.int64),  # B_line: its User host
        ("swept", np.int64),  # Meander: subnets
        ("scanned", np.int64),  # Meander: hosts
        ("exploited", np.int64),  # Meander: hosts
        ("escalated", np.int64),  # Meander: hosts
        ("mapped", np.int64),  # Meander: hosts whose name it can match with an address
        ("last_exploit", np.int64),  # Meander: host, -1 for none
        ("last_escalation", np.int64),  # Meander: host, -1 for none
        # This step --------------------------------------------------------------------------------------
        ("blue_action", np.int64),  # id
        ("blue_success", np.int64),
        ("found_malware", np.int64),  # Blue's Analyse did
        ("red_action", np.int64),  # red.ACTIONS
        ("red_target", np.int64),  # host, or subnet of a sweep; -1 for none
        ("red_exploit", np.int64),  # exploit that was tried; -1 for none
        ("new_decoy_host", np.int64),  # host of a decoy that Blue deployed; -1 for none
        ("event_host", np.int64),  # host that Blue is told events of; -1 for none
        ("num_events", np.int64),
        ("event_ports", np.int64),  # local ports of the events, but for a reverse shell's own
        ("shell_pid", np.int64),  # of a reverse shell that Blue is told of; -1 for none
        # What Blue sees ---------------------------------------------------------------------------------
        ("condition", np.int64, (spec.NUM_HOSTS,)),  # of each host, by its place in table.CONDITIONS
        ("activity", np.int64),  # of event_host, by its place in table.ACTIVITIES
        ("observation", np.int8, (spec.OBSERVATION_SIZE,)),
        ("reward", np.int64),  # tenths of a point
        # The generator, and ports given out -------------------------------------------------------------
        ("word_index", np.int64),  # in words; 624: all are used
        ("words", np.uint32, (NUM_WORDS,)),
        ("used_ports", np.uint32, (spec.NUM_HOSTS, PORT_WORDS)),  # bit per ephemeral port
    ],
    align=True,
)
"""One game. All that the functions of the engine read and write, beside its lists."""


def new_games(num_games: int) -> Games:
    """Return `[num_games]` records, all zero, in the form that the engine's functions take in this process."""
    games = np.zeros(num_games, dtype=GAME)
    return games if COMPILED else games.view(np.recarray)


def new_lists(num_games: int, room: int) -> Lists:
    """Return `[num_games, 3, 13, room]` int32, empty lists for episodes of up to `room - 1` steps."""
    return np.zeros((num_games, NUM_LISTS, spec.NUM_HOSTS, room), dtype=np.int32)
