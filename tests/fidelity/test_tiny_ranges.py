"""Process ids and ports from tiny ranges on both sides, so that what is a coincidence in a game happens all the time.

A reused id lets Remove stop a decoy in place of a shell, a decoy on record starts again, ports are drawn twice. The
engine has its ranges compiled in, so this runs it uncompiled, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import random, sys
import fidelity
from parts import cyborg_sides

from pipeline.cage2.engine import blue, network
assert not hasattr(network.draw_pid, "signatures")
cyborg_sides.load_cyborg("csle")
from csle_cyborg.simulator import host

NUM_PIDS, NUM_PORTS = 28, 40
network.PID_LIMIT, network.PID_BITS = NUM_PIDS, NUM_PIDS.bit_length()
network.NUM_PORTS, network.PORT_BITS = NUM_PORTS, NUM_PORTS.bit_length()

def randrange(start, stop=None):
    if stop is None:
        assert start == 32768
        return random.randrange(NUM_PIDS)
    assert (start, stop) == (49152, 60000)
    return random.randrange(start, start + NUM_PORTS)

host.randrange = randrange

restarts = 0
add_decoy = blue.add_decoy
def count_restarts(game, *rest):
    global restarts
    restarts += game.blue_action < fidelity.spec.DECOY
    add_decoy(game, *rest)
blue.add_decoy = count_restarts

def stale(rng, observation):
    host = rng.choice((9, 10, 11, 12))
    if rng.random() < 0.5:
        return fidelity.spec.DECOY + 13 * rng.choice((0, 3, 4, 5, 6)) + host
    return (fidelity.spec.RESTORE if rng.random() < 0.3 else fidelity.spec.REMOVE) + host

fidelity.POLICIES["stale"] = stale
for seed in range(int(sys.argv[2])):
    for policy in ("stale", "stale", "reactive"):
        job = fidelity.Job(sys.argv[1], policy, 7000 + 100 * seed, 2, "stock", "head")
        tally = fidelity.compare(job)
        assert tally.first is None, tally.first
assert restarts, "the rare branch was not reached"
"""


@pytest.mark.parametrize("red_agent", ["B_lineAgent", "RedMeanderAgent"])
def test_coincidences_are_the_same(red_agent: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, red_agent, "2"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join([str(ROOT / "bench"), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
