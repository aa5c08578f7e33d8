"""Agents that others wrote, good ones and bad ones, as text; and what asks for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.evaluation import Request
from pipeline.evaluate.scenario import Scenario
from pipeline.play.game import GameSpec

if TYPE_CHECKING:
    from pathlib import Path

GAME = GameSpec("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, 100, Interface())
TWO = (Scenario("RedMeanderAgent", 30), Scenario("B_lineAgent", 50))
AGENTS = """
import os
import random
import signal
import sys
import threading
import time

import numpy as np


class Restore:
    def get_action(self, observation, action_space):
        for host in range(13):
            if observation[4 * host + 2] or observation[4 * host + 3]:
                return 132 + host
        return 0


class Mood:
    '''Draws from both generators, when it is made, too, and carries on from episode to episode.'''

    def __init__(self):
        self.mood = random.randrange(145)

    def get_action(self, observation, action_space):
        self.mood = (self.mood + random.randrange(3) + np.random.randint(3)) % 145
        return self.mood


class Waits:
    '''Begins an episode when those before it have been noted by a file.'''

    def __init__(self, folder):
        self.folder, self.num_begun = folder, 0

    def begin(self, num_steps):
        while self.num_begun and not os.path.exists(f"{self.folder}/{self.num_begun}"):
            time.sleep(0.01)
        self.num_begun += 1

    def act(self, observation, view):
        return 0


class Bad:
    '''Plays on until its 57th step.'''

    def __init__(self, how, at="57"):
        self.how, self.at = how, int(at)
        if how == "init":
            raise RuntimeError("no weights")
        if how == "init_exit":
            os._exit(3)

    def begin(self, num_steps):
        self.step = 0

    def act(self, observation, view):
        self.step += 1
        return getattr(self, self.how)() if self.step > self.at else 0

    def raises(self):
        return {}["missing"]

    def exits(self):
        sys.exit(3)

    def sleeps(self):
        time.sleep(3600)

    def dies(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def reads(self):
        return int(input())

    def threads(self):
        for _ in range(4):
            threading.Thread(target=time.sleep, args=(3600,)).start()
        return 0

    def wrong(self):
        return 145
"""


def written(folder: Path) -> Path:
    """Write the agents' file."""
    file = folder / "other_agents_of_test.py"
    file.write_text(AGENTS)
    return file


def reference(file: Path, name: str, observation: Any = "stock", timeout_s: float = 60.0, **arguments: str) -> Any:
    """Return what asks for one of them."""
    target = f"{file}:{name}"
    return AgentReference(f"my.py:{name}", target, tuple(arguments.items()), observation, False, timeout_s)


def request(agent: Any, scenarios: tuple[Scenario, ...] = TWO, num_episodes: int = 5, **game: Any) -> Request:
    """Return a request for it."""
    return Request(agent, replace(GAME, **game), scenarios, num_episodes, seed=3)
