"""B_line's game, relaxed: Blue knows what Red holds, and has its decoys wherever Red scans.

It is the game itself, as far as B_line can notice, but for these, all to Blue's advantage:

- Blue knows Red's place in its script, what Red remembers and what it holds. (Or, if it sees the table only, it learns
  all that one step late: what an exploit of this step got Red it sees as the table shows it.)
- Decoys need no action. What a scan finds is Blue's choice at the time of the scan, from all that decoys can do. Only
  the first scan, in step 2, comes too soon for that: Blue has had two actions by then.
- The OT service costs nothing while it is down.
- A session whose process Blue can't suspect may be removed by the coincidence of `exploits.COINCIDENCE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.cage2.engine.agents.b_line import (
    FIRST_SCAN,
    LAST_PLACE,
    LINKED_HOST,
    OP_SERVER_EXPLOIT,
    SCRIPT_ACTION,
    SCRIPT_RETREAT,
    USERS,
)
from pipeline.cage2.engine.red import ESCALATE, EXPLOIT, IMPACT, SCAN
from pipeline.cage2.engine.state import LEADERBOARD
from pipeline.cage2.facts.spec import CONFIDENTIALITY_TENTHS, HOST_NAMES, OP_SERVER_INDEX, RESTORE_TENTHS
from pipeline.limits.exploits import (
    NONE,
    PRIVILEGED,
    REMOVABLE,
    SEEN,
    SEEN_AND_REMOVED,
    UNREMOVABLE,
    kind_of,
    kinds,
    memories,
    odds,
)
from pipeline.limits.held import CONTEST_PATCHES, level_on
from pipeline.limits.process import Decision, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.cage2.facts.names import Profile
    from pipeline.limits.exploits import Odds

USER, LINKED, ENTERPRISE2, SERVER = range(4)
"""The hosts of B_line's script, by their place in a state's lists."""
_HOST_OF_PLACE = (-1, USER, USER, USER, LINKED, LINKED, LINKED, -1, *(ENTERPRISE2,) * 3, *(SERVER,) * 4)
"""Which of them each place of the script is aimed at, -1 for a subnet."""
NUM_OPENING_ACTIONS = 2
"""What Blue can do before the first scan: Red sweeps in step 1 and scans in step 2."""


class Opening(NamedTuple):
    """Before Red has chosen its User host."""

    memories: tuple[int, ...]
    """`[4]`: what a scan of each User host would find."""
    immune: frozenset[int]
    steps: int
    """Played so far."""


class State(NamedTuple):
    """From then on."""

    place: int
    """Of the script, that Red carries out in this step."""
    is_first: bool
    """Whether it has never attacked Op_Server0 yet."""
    user: int
    levels: tuple[int, ...]
    """`[4]`: what it holds on each host, by `exploits`."""
    memories: tuple[int, ...]
    """`[4]`: one of `exploits.kinds`, or 0 for none."""
    is_immune: bool
    """Whether Haraka fails on the User host."""


class BLine:
    """The process.

    Args:
        profile: Which game.
        sees_all: Whether Blue knows at once what an exploit got Red, or one step late.
    """

    start = Opening(tuple(memories(int(user), 0)[0] for user in USERS), frozenset(), 0)

    def __init__(self, profile: Profile, *, sees_all: bool = True) -> None:
        self._patches = CONTEST_PATCHES if profile == "leaderboard" else frozenset[int]()
        self._sees_all = sees_all

    def decisions(self, state: Opening | State) -> Iterator[Decision]:
        """Return what Blue may do."""
        if isinstance(state, Opening):
            yield from self._openings(state)
            return
        hosts = _hosts(state.user)
        scanned = _HOST_OF_PLACE[state.place] if SCRIPT_ACTION[state.place] == SCAN else -1
        for cost, after in self._answers(state):
            if scanned < 0 or (scanned == SERVER and not _has_foothold(after)):
                yield Decision(cost, after)
                continue
            for memory in kinds(hosts[scanned]):
                yield Decision(cost, after._replace(memories=_with(after.memories, scanned, memory)))

    def _openings(self, state: Opening) -> Iterator[Decision]:
        yield Decision(0, state)
        for place, user in enumerate(map(int, USERS)):
            standing = state.memories[place]
            for memory in memories(user):
                if (memory & standing) == standing and (memory ^ standing).bit_count() == 1:
                    yield Decision(0, state._replace(memories=_with(state.memories, place, memory)))
            if user in self._patches:
                yield Decision(RESTORE_TENTHS, state._replace(immune=state.immune | {user}))

    def _answers(self, state: State) -> Iterator[tuple[int, State]]:
        """Return what Blue may do on hosts, but for decoys: what it costs, and what it leaves."""
        yield 0, state
        for place, level in enumerate(state.levels):
            if level == REMOVABLE:
                yield 0, state._replace(levels=_with(state.levels, place, NONE))
            elif level == SEEN:
                yield 0, state._replace(levels=_with(state.levels, place, SEEN_AND_REMOVED))
            patches = place == USER and state.user in self._patches
            if level != NONE or (patches and not state.is_immune):
                restored = state._replace(levels=_with(state.levels, place, NONE))
                yield RESTORE_TENTHS, restored._replace(is_immune=state.is_immune or patches)

    def outcomes(self, after: Opening | State) -> Iterator[Outcome]:
        """Return what may come of Red's step."""
        if isinstance(after, Opening):
            yield from self._first_outcomes(after)
            return
        place, host = after.place, _HOST_OF_PLACE[after.place]
        action = SCRIPT_ACTION[place]
        if action == EXPLOIT:
            yield from self._attack(after, host)
        elif action == ESCALATE:
            yield from self._escalate(after, host)
        else:
            succeeds = after.levels[SERVER] != NONE if action == IMPACT else True
            yield self._outcome(1.0, after, succeeds=succeeds)

    def _first_outcomes(self, after: Opening) -> Iterator[Outcome]:
        after = after._replace(steps=after.steps + 1)
        if after.steps < NUM_OPENING_ACTIONS:
            yield Outcome(1.0, 0, after)
            return
        for memory, user in zip(after.memories, map(int, USERS), strict=True):
            scanned = (kind_of(user, memory), 0, 0, 0)
            state = State(FIRST_SCAN + 1, True, user, (NONE,) * 4, scanned, user in after.immune)
            yield Outcome(1 / len(USERS), 0, state)

    def _attack(self, after: State, host: int) -> Iterator[Outcome]:
        odds_here = _odds(after, host)
        if host == SERVER and not _has_foothold(after):
            odds_here = odds(OP_SERVER_INDEX, 0)
        yield self._outcome(1 - odds_here.success, after, succeeds=False)
        held = after.levels[host]
        seen, unseen = odds_here
        told = odds_here.all
        if not self._sees_all and held == NONE and sum(seen) > max(seen):
            told = unseen
            cost = CONFIDENTIALITY_TENTHS[_hosts(after.user)[host]] * seen.privileged / sum(seen)
            yield self._outcome(sum(seen), after, succeeds=True, levels=_with(after.levels, host, SEEN), cost=cost)
        for level, chance in zip((REMOVABLE, UNREMOVABLE, PRIVILEGED), told, strict=True):
            levels = _with(after.levels, host, max(held, level))
            yield self._outcome(chance, after, succeeds=True, levels=levels)

    def _escalate(self, after: State, host: int) -> Iterator[Outcome]:
        held = after.levels[host]
        removed = float(held == NONE)
        if held == SEEN_AND_REMOVED:
            seen = _odds(after, host).seen
            removed = seen.removable / sum(seen)
        yield self._outcome(removed, after, succeeds=False, levels=_with(after.levels, host, NONE))
        yield self._outcome(1 - removed, after, succeeds=True, levels=_with(after.levels, host, PRIVILEGED))

    def _outcome(
        self, chance: float, after: State, *, succeeds: bool, levels: tuple[int, ...] | None = None, cost: float = 0
    ) -> Outcome:
        """Return the outcome of a step, which costs what Red's sessions cost, and `cost` besides."""
        levels = after.levels if levels is None else levels
        place = after.place
        is_first = after.is_first and place != OP_SERVER_EXPLOIT
        following = min(place + 1, LAST_PLACE) if succeeds else int(SCRIPT_RETREAT[place])
        if following == OP_SERVER_EXPLOIT and is_first and not _has_foothold(after):
            following = FIRST_SCAN
        for host, level in zip(_hosts(after.user), levels, strict=True):
            cost += CONFIDENTIALITY_TENTHS[host] * (level == PRIVILEGED)
        return Outcome(chance, cost, after._replace(place=following, is_first=is_first, levels=levels))


def state_of(game: Any, lists: Any) -> State:
    """Return the state that a game of the engine is in, after Red's first scan.

    Args:
        game: A record of the engine's `state.GAME`.
        lists: `[3, 13, room]`, its lists.
    """
    user = int(game["script_user"])
    place = int(game["script_index"])
    seen = int(game["script_seen"])
    following = min(place + 1, LAST_PLACE) if game["red_success"] else int(SCRIPT_RETREAT[place])
    is_first = not seen >> OP_SERVER_EXPLOIT & 1
    if following == OP_SERVER_EXPLOIT and is_first and not game["red_listing"]:
        following = FIRST_SCAN
    return State(
        following,
        is_first,
        user,
        tuple(level_on(game, lists, host) for host in _hosts(user)),
        tuple(kind_of(host, int(game["port_memory"][host])) for host in _hosts(user)),
        bool(user in CONTEST_PATCHES and game["profile"] == LEADERBOARD and game["patched_hosts"] >> user & 1),
    )


def _hosts(user: int) -> tuple[int, ...]:
    return user, int(LINKED_HOST[user]), _ENTERPRISE2, OP_SERVER_INDEX


def _odds(after: State, host: int) -> Odds:
    is_immune = after.is_immune and host == USER
    return odds(_hosts(after.user)[host], after.memories[host], is_immune)


def _has_foothold(state: State) -> bool:
    """Return whether Red gets to the Operational subnet."""
    return state.levels[LINKED] != NONE or state.levels[ENTERPRISE2] != NONE


def _with(values: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*values[:place], value, *values[place + 1 :])


_ENTERPRISE2 = HOST_NAMES.index("Enterprise2")
