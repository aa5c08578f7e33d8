"""A defender of one's own, in the form that CybORG's evaluation script asks for: decoys first, then restore what falls.

python run.py evaluate examples/my_agent.py:Agent
python run.py evaluate examples/my_agent.py:Agent --agent-arg use_decoys=no
"""

import numpy as np

from pipeline.cage2.facts.spec import ACTION_NAMES, HOST_NAMES

WORTH = ("Op_Server0", "Enterprise2", "Enterprise1", "Enterprise0", "User4", "User3", "User2", "User1")
"""Hosts that are defended, the dearest first."""
DECOYS = {
    "Enterprise0": ("DecoyHarakaSMPT", "DecoyTomcat", "DecoyApache"),
    "Enterprise1": ("DecoyFemitter",),
    "Enterprise2": ("DecoyFemitter",),
    "Op_Server0": ("DecoyHarakaSMPT", "DecoyTomcat", "DecoyApache"),
    "User2": ("DecoyFemitter", "DecoyTomcat", "DecoyApache"),
}


class Agent:
    """Remembers which decoys stand: a host that is restored has lost its own."""

    def __init__(self, use_decoys: str = "yes") -> None:
        self.wanted = [(kind, host) for host, kinds in DECOYS.items() for kind in kinds if use_decoys == "yes"]
        self.standing: set[tuple[str, str]] = set()

    def get_action(self, observation: np.ndarray, action_space: int) -> int:
        """Return an action's id: per host the observation has two bits of activity, and two that say it was taken."""
        taken = observation.reshape(len(HOST_NAMES), 4)[:, 2:].any(axis=1)
        for host in WORTH:
            if taken[HOST_NAMES.index(host)]:
                self.standing = {decoy for decoy in self.standing if decoy[1] != host}
                return ACTION_NAMES.index(f"Restore {host}")
        for kind, host in self.wanted:
            if (kind, host) not in self.standing:
                self.standing.add((kind, host))
                return ACTION_NAMES.index(f"{kind} {host}")
        return ACTION_NAMES.index("Sleep")

    def end_episode(self) -> None:
        """Forget the episode."""
        self.standing.clear()
