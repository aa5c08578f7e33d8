"""Plays the contest's script on CybORG and by `--protocol contest`, and compares all that an agent sees and does.

    python bench/contest.py --episodes 200
    python bench/contest.py --agent stochastic --profile leaderboard --episodes 200
    python bench/contest.py --agent BlueReactRestore --episodes 20

CybORG's side is csle-cyborg behind its own `ChallengeWrapper`, on Python's `random`, with the script's loop written
out (`parts/contest_script.py`); for `leaderboard`, two of its functions are put back to what they did on the contest's
final day. Compared are each observation, each action, the return of each episode, and the complete state of the
generator when it is over.

    stateful          keeps in mind what it has done, over episodes
    stochastic        draws from `random`, and so shares the game's generator
    sb3               an untrained PPO model of Stable-Baselines3, whose `predict` draws from torch's generator
    BlueReactRestore  csle-cyborg's own class against the project's, by the script as it was run for it
    BlueReactRemove   the same
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from statistics import mean
from typing import TYPE_CHECKING, Any

from parts.contest_script import AGENTS, Episode, Recorded, play_baseline_script, play_script
from parts.cyborg_sides import leaderboard_rules

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.contest.entry import Entry
from pipeline.contest.generator import random_kept
from pipeline.contest.protocol import play
from pipeline.contest.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.cage2.facts.names import Profile
    from pipeline.contest.entry import Agent

BASELINES = ("BlueReactRestore", "BlueReactRemove")


class InCyborgsForm:
    """An agent of the project's, as `Recorded` asks for it."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def get_action(self, observation: Any, action_space: Any) -> int:
        """Return an action."""
        return self._agent.act(observation, None)

    def end_episode(self) -> None:
        """End the episode, and begin another one."""
        self._agent.end()
        self._agent.begin(0)


@dataclass(slots=True)
class Tally:
    """What was compared in a scenario."""

    red_agent: str
    num_steps: int
    episodes: int
    mismatches: int
    mean: float
    """Of the returns, by the script."""
    first: str | None
    """Where the first difference is."""


def cyborg_side(
    name: str, profile: Profile, seed: int, num_episodes: int, scenarios: Sequence[tuple[str, int]]
) -> Iterator[list[Episode]]:
    """Yield the episodes of each scenario as CybORG plays them."""
    with ExitStack() as stack:
        stack.enter_context(random_kept())
        if profile == "leaderboard":
            stack.enter_context(leaderboard_rules())
        if name in BASELINES:
            yield from play_baseline_script(f"{name}Agent", seed, num_episodes, scenarios)
        else:
            yield from play_script(AGENTS[name], seed, num_episodes, scenarios)


def project_side(
    name: str, profile: Profile, seed: int, num_episodes: int, scenarios: Sequence[tuple[str, int]]
) -> list[list[Episode]]:
    """Return the episodes of each scenario as the project plays them."""
    recorded: list[Recorded] = []

    def enter() -> Entry:
        num_resets = 1
        if name in BASELINES:
            entry = CONTEST_BASELINES[name]()
            num_resets = entry.num_resets
            recorded.append(Recorded(InCyborgsForm(entry.agent)))
        else:
            recorded.append(Recorded(AGENTS[name]()))
        return Entry(recorded[0], num_resets=num_resets)

    played = play(enter, lambda red_agent: FastEnv(red_agent, profile), seed, num_episodes, scenarios=tuple(scenarios))
    episodes = iter(recorded[0].episodes)
    sides = [list(islice(episodes, num_episodes)) for _ in scenarios]
    for scenario, side in zip(played, sides, strict=True):
        for episode, total in zip(side, scenario.returns, strict=True):
            episode.total = total
    return sides


def compare(
    name: str, profile: Profile, seed: int, num_episodes: int, scenarios: Sequence[tuple[str, int]]
) -> list[Tally]:
    """Play both sides and compare them."""
    theirs = []
    start = time.perf_counter()
    for (red_agent, num_steps), episodes in zip(
        scenarios, cyborg_side(name, profile, seed, num_episodes, scenarios), strict=True
    ):
        theirs.append(episodes)
        wall_s = time.perf_counter() - start
        print(f"CybORG has played {num_steps} steps against {red_agent}, {wall_s:.0f} s", file=sys.stderr, flush=True)
    ours = project_side(name, profile, seed, num_episodes, scenarios)
    return [
        _tally(red_agent, num_steps, *sides)
        for (red_agent, num_steps), *sides in zip(scenarios, theirs, ours, strict=True)
    ]


def _tally(red_agent: str, num_steps: int, theirs: list[Episode], ours: list[Episode]) -> Tally:
    tally = Tally(red_agent, num_steps, len(ours), 0, mean(episode.total for episode in theirs), None)
    for index, (their, our) in enumerate(zip(theirs, ours, strict=True)):
        difference = _difference(their, our)
        if difference is not None:
            tally.mismatches += 1
            tally.first = tally.first or f"episode {index}: {difference}"
    return tally


def _difference(theirs: Episode, ours: Episode) -> str | None:
    """Return what differs first in an episode; None for nothing."""
    for step, (their_action, our_action) in enumerate(zip(theirs.actions, ours.actions, strict=True)):
        # the script of the baselines has no such observations
        if theirs.observations and theirs.observations[step] != ours.observations[step]:
            return f"observation at step {step}"
        if their_action != our_action:
            return f"action at step {step}: CybORG {their_action}, here {our_action}"
    if repr(theirs.total) != repr(ours.total):
        return f"return: CybORG {theirs.total!r}, here {ours.total!r}"
    return None if theirs.generator == ours.generator else "generator"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, report, and return 1 if there was a mismatch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", choices=(*AGENTS, *BASELINES, "all"), default="all", help="who plays [all]")
    parser.add_argument("--episodes", type=int, default=20, metavar="N", help="of each scenario [20]")
    parser.add_argument("--profile", choices=("head", "leaderboard"), default="head", help="of the game [head]")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the one generator [0]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.episodes < 1:
        parser.error("--episodes must be at least 1")
    names = (*AGENTS, *BASELINES) if options.agent == "all" else (options.agent,)
    tallies = {name: compare(name, options.profile, options.seed, options.episodes, SCENARIOS) for name in names}
    rows = [{"agent": name, **asdict(tally)} for name, rows in tallies.items() for tally in rows]
    if options.json:
        print(json.dumps({"profile": options.profile, "seed": options.seed, "rows": rows}, indent=2))
    else:
        print(f"profile {options.profile}, seed {options.seed}, csle-cyborg behind its ChallengeWrapper")
        print(f"{'agent':18}{'steps':>6} {'Red':16}{'episodes':>9}{'mismatches':>11}  mean return")
        for row in rows:
            counts = f"{row['num_steps']:6} {row['red_agent']:16}{row['episodes']:9,}{row['mismatches']:11,}"
            print(f"{row['agent']:18}{counts}  {row['mean']}{'  first: ' + row['first'] if row['first'] else ''}")
    return 1 if any(row["mismatches"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
