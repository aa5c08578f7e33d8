"""Meander's game, relaxed: Blue knows whom Red attacks next, and acts on any number of hosts at once.

Red looks around before it attacks, and escalates where it has got in, in the next step. Only these three remain: Red
looks around (which costs nothing), Red attacks a host, Red escalates there. All that differs from the game is to Blue's
advantage:

- Blue knows what Red knows and holds, and which host Red attacks in the next step. (Or, if it sees the table only, it
  learns all that one step late: what an exploit of this step got Red it sees as the table shows it.)
- Decoys need no action. What Red remembers of a host is Blue's choice at the time of each attack. Only what it
  remembers of User2 stays for the episode, and the decoys there were deployed before Red's first scan of it.
- A User host that Red has escalated on is never attacked again. It costs its tenth of a point in each step that is
  left or one Restore, whichever is less, and no action of Blue's.
- A step costs a point, not more, for all Enterprise hosts that Red holds as it begins, whether Blue keeps them or
  restores them all. Which of them is forgotten; Red's way to the Operational subnet stands while Blue keeps them.
- Once Red has escalated on Op_Server0 and a Restore of it is paid for, nothing costs any more.
- In the contest's game, Haraka can be made to fail on a host at the price of a Restore when Red is about to attack it.
- A session whose process Blue can't suspect may be removed by the coincidence of `exploits.COINCIDENCE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipeline.cage2.engine.agents.b_line import LINKED_HOST
from pipeline.cage2.engine.state import LEADERBOARD
from pipeline.cage2.engine.tables import ENTERPRISE, ENTERPRISE_HOSTS
from pipeline.cage2.facts.spec import (
    CONFIDENTIALITY_TENTHS,
    HOST_NAMES,
    OP_SERVER_INDEX,
    RED_FOOTHOLD_INDEX,
    RESTORE_TENTHS,
    SUBNETS,
)
from pipeline.limits.exploits import (
    NONE,
    REMOVABLE,
    SEEN,
    UNREMOVABLE,
    Odds,
    kinds,
    odds,
)
from pipeline.limits.held import CONTEST_PATCHES, level_on
from pipeline.limits.process import Decision, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.cage2.facts.names import Profile

NUM_QUIET_STEPS: Final = 7
"""Before the first attack: the User subnet is swept, its five hosts are scanned, User0 is escalated."""
USER2: Final = HOST_NAMES.index("User2")
_DEFENDER, _ENTERPRISE2 = HOST_NAMES.index("Defender"), HOST_NAMES.index("Enterprise2")
_ENTERPRISE = tuple(host for host in range(len(HOST_NAMES)) if ENTERPRISE_HOSTS >> host & 1 and host != _DEFENDER)
USERS = next(subnet.hosts for subnet in SUBNETS if subnet.name == "User")
NOBODY: Final = -1
_PENALTY: Final = CONFIDENTIALITY_TENTHS[_ENTERPRISE2]
"""Of each Enterprise host, and of Op_Server0."""

FAIL, PASS, REMOVE, RESTORE, LOOK = range(5)
"""What Blue does: Red's attack fails whatever it is, Red's session is left alone, removed or restored; nothing."""


class State(NamedTuple):
    """Before a step."""

    users: int
    """Set of the User hosts that Red has not got: of User0, attacked, of others, escalated."""
    is_swept: bool
    """Whether Red knows the Enterprise subnet."""
    escalated: int
    """Set of the Enterprise hosts that Red takes for its own."""
    knows_server: bool
    """Whether Red knows Op_Server0's address."""
    foothold: bool
    """Whether Red holds a privileged session on an Enterprise host as the step begins."""
    immune: int
    """Set of the User hosts on which Haraka fails."""
    quiet: int = 0
    """Steps in which Red is going to look around."""
    target: int = NOBODY
    """Host that Red is about to attack or, with a level, to escalate on."""
    level: int = NONE
    """What Red has just got there, `NONE`, `REMOVABLE`, `UNREMOVABLE` or `SEEN`: privileged is no worse from now on."""
    memory: int = 0
    """What Red remembers of the target, if Blue has to guess the level."""


OVER: Final = State(0, True, 0, True, False, 0, target=OP_SERVER_INDEX, level=UNREMOVABLE)
"""Red has escalated on Op_Server0."""


class Meander:
    """The process from Red's first attack on.

    Args:
        profile: Which game.
        user2: What Red remembers of User2, one of `exploits.kinds`.
        sees_all: Whether Blue knows at once what an exploit got Red, or one step late.
    """

    def __init__(self, profile: Profile, user2: int, *, sees_all: bool = True) -> None:
        self._patches = CONTEST_PATCHES if profile == "leaderboard" else frozenset[int]()
        self._user2 = user2
        self._sees_all = sees_all
        self.start = State(sum(1 << user for user in USERS), False, 0, False, False, 0, quiet=1)

    def decisions(self, state: State) -> Iterator[Decision]:
        """Return what Blue may do: an afterstate is a state, what Blue does, and what Red remembers of its target."""
        if state == OVER:
            yield Decision(0, (OVER, LOOK, 0))
            return
        cost = _PENALTY if state.foothold else 0
        for kept in {state.foothold, False}:
            turn = state._replace(foothold=kept)
            if state.level != NONE:
                yield from self._answers(cost, turn)
            elif state.target == NOBODY:
                yield Decision(cost, (turn, LOOK, 0))
            else:
                yield from self._preparations(cost, turn)

    def _answers(self, cost: int, turn: State) -> Iterator[Decision]:
        """Yield what Blue may do before Red escalates."""
        yield Decision(cost, (turn, PASS, 0))
        if turn.level in (REMOVABLE, SEEN):
            yield Decision(cost, (turn, REMOVE, 0))
        # of Enterprise hosts all Restores together are in the cost of a foothold already
        both = max(cost, RESTORE_TENTHS) if turn.target in _ENTERPRISE else cost + RESTORE_TENTHS
        yield Decision(both, (self._patched(turn), RESTORE, 0))

    def _preparations(self, cost: int, turn: State) -> Iterator[Decision]:
        """Yield what Blue may have done when Red attacks."""
        target = turn.target
        if target in (_DEFENDER, OP_SERVER_INDEX):
            yield Decision(cost, (turn, FAIL, 0))
        if target == _DEFENDER or (target == OP_SERVER_INDEX and not turn.foothold):
            return
        for memory in (self._user2,) if target == USER2 else _extremes(target):
            yield Decision(cost, (turn, LOOK, memory))
            if target in self._patches and not turn.immune >> target & 1:
                yield Decision(cost + RESTORE_TENTHS, (self._patched(turn), LOOK, memory))

    def outcomes(self, after: tuple[State, int, int]) -> Iterator[Outcome]:
        """Return what may come of Red's step."""
        turn, answer, memory = after
        if turn == OVER:
            yield Outcome(1.0, 0, OVER)
        elif turn.level != NONE:
            yield from self._escalate(turn, answer)
        elif turn.target == NOBODY:
            yield from self._free(1.0, 0, turn._replace(quiet=turn.quiet - 1))
        else:
            yield from self._attack(turn, odds(turn.target, memory, bool(turn.immune >> turn.target & 1)), memory)

    def _attack(self, turn: State, here: Odds, memory: int) -> Iterator[Outcome]:
        target = turn.target
        yield from self._free(1 - here.success, 0, turn._replace(escalated=0))
        if target == RED_FOOTHOLD_INDEX:
            yield from self._free(here.success, 0, turn._replace(users=turn.users & ~(1 << target)))
            return
        told = here.all
        penalty = _added_penalty(turn)
        if not self._sees_all and sum(here.seen) > max(here.seen):
            told = here.unseen
            cost = penalty * here.seen.privileged / sum(here.seen)
            yield Outcome(sum(here.seen), cost, turn._replace(level=SEEN, memory=memory))
        yield Outcome(told.removable, 0, turn._replace(level=REMOVABLE))
        got = turn._replace(level=UNREMOVABLE)
        yield Outcome(told.unremovable, 0, got)
        yield Outcome(told.privileged, penalty, got._replace(foothold=turn.foothold or target in _ENTERPRISE))

    def _escalate(self, turn: State, answer: int) -> Iterator[Outcome]:
        removed = float(answer != PASS)
        if answer == REMOVE and turn.level == SEEN:
            seen = odds(turn.target, turn.memory, bool(turn.immune >> turn.target & 1)).seen
            removed = seen.removable / sum(seen)
        turn_over = turn._replace(level=NONE, memory=0)
        yield from self._free(removed, 0, turn_over)
        if removed == 1:
            return
        penalty, target = _added_penalty(turn), turn.target
        if target == OP_SERVER_INDEX:
            yield Outcome(1.0, penalty, OVER, owed=penalty)
        elif target in _ENTERPRISE:
            gained = turn_over._replace(is_swept=True, escalated=turn.escalated | 1 << target, foothold=True)
            if target == _ENTERPRISE2:
                gained = gained._replace(knows_server=True)
            yield from self._free(1 - removed, penalty, _with_scans(turn, gained))
        else:
            gained = turn_over._replace(users=turn.users & ~(1 << target), immune=turn.immune & ~(1 << target))
            yield from self._free(1 - removed, penalty, _with_scans(turn, gained), owed=penalty)

    def _patched(self, state: State) -> State:
        return state._replace(immune=state.immune | 1 << state.target) if state.target in self._patches else state

    @staticmethod
    def _free(chance: float, cost: float, state: State, owed: int = 0) -> Iterator[Outcome]:
        """Yield what Red may choose next: any of its targets, unless it looks around first."""
        if state.quiet:
            yield Outcome(chance, cost, state._replace(target=NOBODY), owed)
            return
        targets = targets_of(state)
        for target in targets:
            yield Outcome(chance / len(targets), cost, state._replace(target=target), owed)


def targets_of(state: State) -> Sequence[int]:
    """Return the hosts that Red may attack next, all equally likely, when it has nothing else to do."""
    targets = [user for user in USERS if state.users >> user & 1]
    targets += [host for host in _known(state) if not state.escalated >> host & 1]
    return targets + [_DEFENDER] * state.is_swept + [OP_SERVER_INDEX] * state.knows_server


def state_of(game: Any, lists: Any) -> State:
    """Return the state that a game of the engine is in, after the quiet steps; its target is nobody if Red attacks.

    Args:
        game: A record of the engine's `state.GAME`.
        lists: `[3, 13, room]`, its lists.
    """
    if game["ot_known"]:
        return OVER
    succeeded = bool(game["red_success"])
    exploited, escalated = int(game["exploited"]), int(game["escalated"])
    target, failed = int(game["last_exploit"]), int(game["last_escalation"])
    if failed >= 0 and not succeeded:
        escalated &= ~(1 << failed)
        exploited &= ~(1 << failed)
    if target >= 0 and not succeeded:
        exploited &= ~(1 << target | escalated & ENTERPRISE_HOSTS)
        escalated &= ~ENTERPRISE_HOSTS
    is_pending = target >= 0 and succeeded and target != RED_FOOTHOLD_INDEX
    known, scanned = int(game["known_addresses"]), int(game["scanned"])
    is_swept = bool(game["known_subnets"] >> ENTERPRISE & 1)
    if is_swept and not game["swept"] >> ENTERPRISE & 1:
        known |= ENTERPRISE_HOSTS
    patched = [user for user in CONTEST_PATCHES if game["profile"] == LEADERBOARD and game["patched_hosts"] >> user & 1]
    taken = exploited & (escalated | 1 << RED_FOOTHOLD_INDEX)
    return State(
        users=sum(1 << user for user in USERS if not taken >> user & 1),
        is_swept=is_swept,
        escalated=escalated & ENTERPRISE_HOSTS,
        knows_server=bool(known >> OP_SERVER_INDEX & 1),
        foothold=bool(game["privileged_hosts"] & ENTERPRISE_HOSTS),
        immune=sum(1 << user for user in patched if not taken >> user & 1),
        quiet=(known & ~scanned).bit_count() + is_swept - int(game["swept"] >> ENTERPRISE & 1),
        target=target if is_pending else NOBODY,
        level=min(UNREMOVABLE, level_on(game, lists, target)) if is_pending else NONE,
    )


def debt_of(game: Any, steps_left: int) -> int:
    """Return what a game costs at least, in tenths, for hosts that the process has settled for already."""
    penalties = [CONFIDENTIALITY_TENTHS[host] for host in _settled(game) if game["privileged_hosts"] >> host & 1]
    return sum(min(RESTORE_TENTHS, penalty * steps_left) for penalty in penalties)


def _settled(game: Any) -> Sequence[int]:
    """Return the hosts that Red has escalated on, and which the process has forgotten."""
    escalated = int(game["escalated"]) & int(game["exploited"])
    if game["last_escalation"] >= 0 and not game["red_success"]:
        escalated &= ~(1 << int(game["last_escalation"]))
    users = [user for user in USERS if escalated >> user & 1 and user != RED_FOOTHOLD_INDEX]
    return [*users, OP_SERVER_INDEX] if game["ot_known"] else users


def _known(state: State) -> list[int]:
    """Return the Enterprise hosts whose address Red knows, without Defender."""
    found = {int(LINKED_HOST[user]) for user in USERS if not state.users >> user & 1}
    return [host for host in _ENTERPRISE if state.is_swept or host in found]


def _with_scans(before: State, after: State) -> State:
    """Return a state with the steps in which Red looks at what it has just found."""
    quiet = len(_known(after)) - len(_known(before)) + after.knows_server - before.knows_server
    if after.is_swept and not before.is_swept:
        quiet += 2  # the sweep itself, and Defender
    return after._replace(quiet=quiet)


def _added_penalty(turn: State) -> int:
    """Return what a privileged session on the target adds to the costs of the step, in tenths."""
    return 0 if turn.target in _ENTERPRISE and turn.foothold else CONFIDENTIALITY_TENTHS[turn.target]


def _extremes(host: int) -> tuple[int, ...]:
    """Return the first and the last of a host's kinds: of others, what comes is a mixture of what comes of these."""
    found = kinds(host)
    return found if len(found) < 2 else (found[0], found[-1])
