"""Records games that CybORG plays, for machines without it: `tests/fidelity/golden.json`.

    python bench/record_golden.py tests/fidelity/golden.json --scenario cage-challenge-2/CybORG/CybORG/Shared/Scenarios

CybORG plays the challenge's own scenario, read from its files; without `--scenario` the project's. Each game is
`random.seed(seed)`, build, wrap, reset, 100 steps, on csle-cyborg 0.0.3 behind its stock `ChallengeWrapper`. The
leaderboard's are played by the rules of `cyborg_sides.leaderboard_rules`; the older upstream state, which needs none,
is not a package that can be installed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from itertools import product
from pathlib import Path
from typing import Any

from parts.blue_policies import POLICIES
from parts.cyborg_sides import Stock, leaderboard_rules, played_on
from parts.published import read_scenario

from pipeline.cage2.facts import spec

RECORDED = (13366, 23170)
"""Seeds of games in which User4, or Enterprise0, has the address that Defender names (`parts.recorded`)."""
GAMES = [
    *product(("head",), spec.RED_AGENTS, ("random", "reactive", "decoy"), (0, -(2**63))),
    *product(("leaderboard",), spec.RED_AGENTS[:2], ("restore", "reactive"), (1, 2**64 + 3)),
    *product(("head",), ("RedMeanderAgent",), ("random", "reactive", "decoy"), RECORDED),
    *product(("leaderboard",), ("RedMeanderAgent",), ("restore",), RECORDED),
]


def record(profile: str, red_agent: str, policy: str, seed: int) -> dict[str, Any]:
    """Play a game and return what it was."""
    if profile == "leaderboard":
        with leaderboard_rules():
            return record_head(profile, red_agent, policy, seed)
    return record_head(profile, red_agent, policy, seed)


def record_head(profile: str, red_agent: str, policy: str, seed: int) -> dict[str, Any]:
    """Play a game by the rules that CybORG has just now."""
    rng = random.Random(f"{red_agent} {policy} {seed}")  # noqa: S311 - a game, no secret
    cyborg = Stock(red_agent, seed)
    observation = cyborg.reset(None)
    actions, observations, rewards, red_hosts = [], [], [], []
    for _ in range(spec.EPISODE_STEPS):
        action = POLICIES[policy](rng, observation)
        observation, reward, hosts = cyborg.step(action)
        actions.append(action)
        observations.append(f"{int(''.join(map(str, observation)), 2):013x}")
        rewards.append(reward)
        red_hosts.append(hosts)
    return {
        "profile": profile,
        "red_agent": red_agent,
        "seed": str(seed),
        "actions": actions,
        "observations": " ".join(observations),
        "rewards": rewards,
        "red_hosts": red_hosts,
        "generator": hashlib.sha256(repr(cyborg.generator_state()).encode()).hexdigest(),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="where they are written")
    parser.add_argument("--scenario", type=Path, metavar="FOLDER", help="the challenge's own files, for CybORG to play")
    options = parser.parse_args()
    with played_on(None if options.scenario is None else read_scenario(options.scenario)):
        traces = [json.dumps(record(*game)) for game in GAMES]
    options.file.write_text("[\n" + ",\n".join(traces) + "\n]\n")
