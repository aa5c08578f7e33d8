from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.blue.interface import DECOYS_OF_HOST, HOSTS_THAT_MATTER, MERGED, NEXT_DECOY, Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec

PLAIN, RICH = Interface(), Interface(observation_memory=True, actions="merged")
INTERFACES = [Interface(memory, actions) for memory in (False, True) for actions in ("all", "merged")]

tables = st.lists(
    st.tuples(st.sampled_from([-1, *range(spec.NUM_HOSTS)]), st.sampled_from([(1, 0), (1, 1)]), st.integers(0, 2**26)),
    min_size=1,
    max_size=30,
)
"""Per step the host that shows activity, if one does, how, and how far hosts are compromised."""


def table_of(host: int, activity: tuple[int, int], compromised: int) -> np.ndarray:
    table = np.zeros((spec.NUM_HOSTS, spec.BITS_PER_HOST), np.int8)
    table[:, 2:] = np.array([compromised >> bit & 1 for bit in range(26)]).reshape(-1, 2)
    if host >= 0:
        table[host, :2] = activity
    return table.ravel()


class Reference:
    """The same in plain words: what was placed since the last Restore, and what was shown before."""

    def __init__(self, interface: Interface, num_steps: int) -> None:
        self.interface, self.num_steps = interface, num_steps
        self.shown: list[dict[str, bool]] = []
        self.placed: dict[str, list[spec.Decoy]] = {name: [] for name in spec.HOST_NAMES}
        self.faked_first: dict[str, set[int]] = {}
        self.unanswered: set[str] = set()
        self.decoyed: set[str] = set()
        self.analysed: set[str] = set()
        self.suspects: set[str] = set()
        self.restored: set[str] = set()
        self.maybe_scanned: set[str] = set()
        self.num_acts = 0

    def busy_ports(self, host: str) -> set[int]:
        own = {p for process in spec.HOSTS[spec.HOST_NAMES.index(host)].image.processes for p in process.ports}
        return own | self.faked_ports(host)

    def faked_ports(self, host: str) -> set[int]:
        return {decoy.port for decoy in self.placed[host]}

    def act(self, choice: int) -> str:
        self.num_acts += 1
        name = self.name_of(choice)
        self.decoyed, self.analysed = set(), set()
        self.unanswered |= {
            host for host, exploited in self.shown[-1].items() if exploited and name != f"Restore {host}"
        }
        if name in ("Sleep", "Monitor"):
            return name
        verb, host = name.split()
        if verb == "Restore":
            self.placed[host] = []
            self.suspects.discard(host)
            self.restored.add(host)
        if verb == "Analyse":
            self.analysed = {host}
        for decoy in spec.DECOYS:
            fits = decoy.os in (None, spec.HOSTS[spec.HOST_NAMES.index(host)].image.os)
            if decoy.name == verb and fits and decoy.free_port not in self.busy_ports(host):
                self.placed[host].append(decoy)
                self.decoyed = {host}
        return name

    def name_of(self, choice: int) -> str:
        if self.interface.actions == "all":
            return spec.ACTION_NAMES[choice]
        if MERGED[choice] > NEXT_DECOY:
            return spec.ACTION_NAMES[MERGED[choice]]
        index = NEXT_DECOY - int(MERGED[choice])
        host = spec.HOST_NAMES[index]
        own = [spec.DECOYS[kind] for kind in DECOYS_OF_HOST[index]]
        missing = [decoy for decoy in own if decoy.port not in self.faked_ports(host)]
        return f"{(missing or own[-1:])[0].name} {host}"

    def see(self, table: np.ndarray) -> list[int]:
        hosts = table.reshape(spec.NUM_HOSTS, spec.BITS_PER_HOST)
        before = set().union(*self.shown)
        last = next((shown for shown in reversed(self.shown) if shown), {})
        self.shown.append({name: bool(bits[1]) for name, bits in zip(spec.HOST_NAMES, hosts, strict=True) if bits[0]})
        for host in self.shown[-1]:
            self.faked_first.setdefault(host, self.faked_ports(host))
        for host in self.analysed:
            if not hosts[spec.HOST_NAMES.index(host), 2:].any():
                self.suspects.discard(host)
        self.suspects |= {host for host, exploited in self.shown[-1].items() if exploited}
        signs = self.shown[-1].keys() | self.decoyed
        self.suspects |= signs & self.maybe_scanned
        self.maybe_scanned |= signs
        row = table.tolist()
        if self.interface.observation_memory:
            row += [int(spec.HOST_NAMES[host] in before) for host in HOSTS_THAT_MATTER]
            row += [int(spec.HOST_NAMES[host] in last) for host in HOSTS_THAT_MATTER]
            row += [int(any(last.values()))]
            row += [int(spec.HOST_NAMES[host] in self.unanswered) for host in HOSTS_THAT_MATTER]
            row += [int(spec.HOST_NAMES[host] in self.suspects) for host in HOSTS_THAT_MATTER]
            own = [(host, kind) for host, kinds in zip(spec.HOST_NAMES, DECOYS_OF_HOST, strict=True) for kind in kinds]
            row += [int(spec.DECOYS[kind].port in self.faked_ports(host)) for host, kind in own]
            row += [int(spec.DECOYS[kind].port in self.faked_first.get(host, ())) for host, kind in own]
            row += [int(host in self.restored) for host in ("User3", "User4")]
            row += [int(self.num_acts / self.num_steps >= tenth / 10 - 1e-9) for tenth in range(1, 10)]
        return row


@pytest.mark.parametrize("interface", INTERFACES, ids=str)
@given(steps=tables, data=st.data())
def test_it_is_what_was_shown_and_done(
    interface: Interface, steps: list[tuple[int, tuple[int, int], int]], data: st.DataObject
) -> None:
    memory, num_steps = Memory(interface), len(steps)
    row = np.empty(interface.observation_size, np.int8)
    # many of few: of all 145, two at random would hardly ever meet on a host
    few = data.draw(st.lists(st.integers(0, interface.num_actions - 1), min_size=1, max_size=4))
    for _ in range(2):  # the second episode knows nothing of the first
        reference = Reference(interface, num_steps)
        row[:] = -1
        memory.begin(num_steps, np.zeros(spec.OBSERVATION_SIZE, np.int8), row)
        assert row.tolist() == reference.see(np.zeros(spec.OBSERVATION_SIZE, np.int8))
        for step in steps:
            choice = data.draw(st.sampled_from(few))
            assert spec.ACTION_NAMES[memory.act(choice)] == reference.act(choice)
            row[:] = -1
            memory.see(table_of(*step), row)
            assert row.tolist() == reference.see(table_of(*step))


@pytest.mark.parametrize("interface", INTERFACES, ids=str)
def test_an_action_is_legal_and_of_the_right_host_whatever_came_before(interface: Interface) -> None:
    memory, rng = Memory(interface), np.random.default_rng(0)
    row = np.empty(interface.observation_size, np.int8)
    memory.begin(3000, np.zeros(spec.OBSERVATION_SIZE, np.int8), row)
    for choice in rng.integers(0, interface.num_actions, 3000).tolist():
        action = memory.act(choice)
        assert 0 <= action < spec.NUM_ACTIONS
        if interface.actions == "all":
            assert action == choice
        elif MERGED[choice] <= NEXT_DECOY:
            kind, host = divmod(action - spec.DECOY, spec.NUM_HOSTS)
            assert host == NEXT_DECOY - MERGED[choice]
            assert kind in DECOYS_OF_HOST[host]
        else:
            assert action == MERGED[choice]


@pytest.mark.parametrize("interface", INTERFACES[1:], ids=str)
def test_the_decoys_that_it_knows_of_are_those_that_stand(interface: Interface) -> None:
    env, rng, memory = FastEnv("RedMeanderAgent"), np.random.default_rng(1), Memory(interface)
    row, num_placed = np.empty(interface.observation_size, np.int8), 0
    for seed in range(20):
        memory.begin(100, env.reset(seed), row)
        base = env.batch.games["listening"][0].copy()
        for choice in rng.integers(0, interface.num_actions, 100).tolist():
            table, _ = env.step(memory.act(choice))
            memory.see(table, row)
            faked = memory.state["faked"][0]
            # Vsftpd fakes port 80, which User3 and User4 have themselves
            assert np.array_equal(faked & ~base, env.batch.games["listening"][0] & ~base)
            num_placed += np.count_nonzero(faked)
    assert num_placed > 1000


def test_a_decoy_too_many_is_the_last_one_again_and_fails() -> None:
    env, memory = FastEnv("SleepAgent"), Memory(RICH)
    row = np.empty(RICH.observation_size, np.int8)
    memory.begin(100, env.reset(0), row)
    host = spec.HOST_NAMES.index("Op_Server0")
    choice = MERGED.tolist().index(NEXT_DECOY - host)
    told = []
    for _ in range(4):
        action = memory.act(choice)
        env.step(action)
        told.append((spec.ACTION_NAMES[action], int(env.batch.games["blue_success"][0])))
    assert told == [
        ("DecoyHarakaSMPT Op_Server0", 1),
        ("DecoyTomcat Op_Server0", 1),
        ("DecoyApache Op_Server0", 1),
        ("DecoyApache Op_Server0", 0),
    ]
    memory.act(MERGED.tolist().index(spec.RESTORE + host))
    assert spec.ACTION_NAMES[memory.act(choice)] == "DecoyHarakaSMPT Op_Server0"


@pytest.mark.parametrize(("num_steps", "seen"), [(10, [*range(10), 9]), (2, [0, 5, 9]), (1, [0, 9])])
def test_time_passes_in_tenths_of_the_episode(num_steps: int, seen: list[int]) -> None:
    memory, table = Memory(RICH), np.zeros(spec.OBSERVATION_SIZE, np.int8)
    row = np.empty(RICH.observation_size, np.int8)
    memory.begin(num_steps, table, row)
    passed = [int(row[-9:].sum())]
    for _ in range(num_steps):
        memory.act(0)
        memory.see(table, row)
        passed.append(int(row[-9:].sum()))
        assert row[-9:].tolist() == sorted(row[-9:].tolist(), reverse=True)
    assert passed == seen


def test_uncompiled_code_does_the_same() -> None:
    script = (
        "import numpy as np; from pipeline.cage2.blue.interface import Interface\n"
        "from pipeline.cage2.blue.memory import Memory\n"
        "interface = Interface(True, 'merged'); memory, rng = Memory(interface), np.random.default_rng(0)\n"
        "row = np.empty(interface.observation_size, np.int8); tables = rng.integers(0, 2, (60, 52)).astype(np.int8)\n"
        "memory.begin(60, tables[0], row); told = []\n"
        "for table in tables:\n"
        "    told.append((memory.act(int(rng.integers(0, interface.num_actions))), row.tolist()))\n"
        "    memory.see(table, row)\n"
        "print(told)"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "NUMBA_DISABLE_JIT": disable},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for disable in ("0", "1")
    ]
    assert printed[0] == printed[1] != ""


@pytest.mark.parametrize(("interface", "choice"), [(PLAIN, 145), (PLAIN, -1), (RICH, 31), (RICH, -1)])
def test_a_choice_that_the_interface_has_not_is_refused(interface: Interface, choice: int) -> None:
    memory = Memory(interface)
    before = memory.state.tobytes()
    with pytest.raises(ValueError, match=f"choice {choice} is not one of the interface's"):
        memory.act(choice)
    assert memory.state.tobytes() == before


@pytest.mark.parametrize(("table_size", "row_size"), [(51, 130), (52, 52), (52, 129)])
def test_arrays_without_room_are_refused(table_size: int, row_size: int) -> None:
    assert RICH.observation_size == 130
    memory, table, row = Memory(RICH), np.zeros(table_size, np.int8), np.zeros(row_size, np.int8)
    with pytest.raises(ValueError, match=rf"\(52, 130\) values, not \({table_size}, {row_size}\)"):
        memory.begin(10, table, row)
    with pytest.raises(ValueError, match="a table and a row of"):
        memory.see(table, row)
