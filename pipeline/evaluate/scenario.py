"""A scenario: who attacks, for how many steps, and which episodes it has."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.contest.scenarios import SCENARIOS


@dataclass(frozen=True, slots=True)
class Scenario:
    """Episodes of one length against one Red agent."""

    red_agent: str
    """One of `spec.RED_AGENTS`, or one's own (`attackers.reference`)."""
    num_steps: int

    @property
    def group(self) -> int:
        """The scenario's number in the seeds of a comparison, whatever it is played along with.

        Each has episodes of its own: those of 30 steps are not the beginnings of those of 100, so that the nine means
        are independent and the error of their sum follows from theirs. Those against one's own Red depend on its name.
        """
        if self.red_agent in RED_AGENTS:
            return self.num_steps * len(RED_AGENTS) + RED_AGENTS.index(self.red_agent)
        name = self.red_agent.rpartition(":")[2]  # wherever the file is
        return (1 + zlib.crc32(name.encode())) << 32 | self.num_steps


PROTOCOL = tuple(Scenario(red_agent, num_steps) for red_agent, num_steps in SCENARIOS)
"""The nine, in CAGE-2's order. The sum of their means is its leaderboard's score."""
