from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np

from pipeline.workers.ray import MAX_PIECE_BYTES, in_pieces


def run(script: str) -> str:
    """Run a script in a process of its own, for an actor's class changes the process that it is made in."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PREAMBLE) + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


PREAMBLE = """
    import os, signal, socket, sys
    from dataclasses import dataclass
    import numpy as np
    from threadpoolctl import threadpool_info
    from pipeline.cage2.facts.names import Compromised
    from pipeline.cage2.blue.interface import Interface
    from pipeline.play.game import GameSpec
    from pipeline.workers.ray import RayPlayer

    GAME = ("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, 100, Interface())
"""


def test_becomes_a_worker_and_introduces_itself() -> None:
    out = run("""
        introduction = RayPlayer(GameSpec(*GAME), False).introduce()
        assert introduction.pid == os.getpid()
        assert introduction.host == socket.gethostname()
        assert introduction.fingerprint.versions["numpy"] == np.__version__
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}, threadpool_info()
        print("torch" in sys.modules, "ray" in sys.modules)
    """)
    assert out == "False False"


def test_one_that_cannot_build_its_environment_says_why_to_each_task() -> None:
    out = run("""
        class Broken(GameSpec):
            def play_episode(self):
                raise OSError("no such game")

        player = RayPlayer(Broken(*GAME), False)
        player.introduce()
        for _ in range(2):
            print(player.play(np.zeros(0, np.float32), np.zeros((1, 0), np.uint8)).splitlines()[-1])
    """)
    assert out == "OSError: no such game\nOSError: no such game"


def test_subnormal_numbers_are_flushed_while_it_plays_and_not_afterwards() -> None:
    out = run("""
        class Halving:
            def play(self, weights, headers):
                return np.array([sys.float_info.min / 2])

        player = RayPlayer(GameSpec(*GAME), False)
        player._player = Halving()
        print(player.play(np.zeros(0, np.float32), np.zeros((1, 0), np.uint8)).any(), sys.float_info.min / 2 > 0)
    """)
    assert out == "False True"


def test_headers_travel_in_pieces_that_ray_sends_with_a_call() -> None:
    for num_episodes in (1, 112, 113, 10_000):
        headers = np.arange(num_episodes * 584).astype(np.uint8).reshape(num_episodes, 584)
        pieces = in_pieces(headers)
        assert max(piece.nbytes for piece in pieces) <= MAX_PIECE_BYTES < 100_000
        assert (np.concatenate(pieces) == headers).all()
