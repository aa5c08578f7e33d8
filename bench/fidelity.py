"""Plays the engine and CybORG side by side and compares everything at every step.

    python bench/fidelity.py --episodes 300
    python bench/fidelity.py --episodes 10000 --workers 2 --json
    python bench/fidelity.py --red B_lineAgent --policy restore --profile leaderboard
    python bench/fidelity.py --episodes 300 --scenario cage-challenge-2/CybORG/CybORG/Shared/Scenarios
    python bench/fidelity.py --recorded 30 --red RedMeanderAgent --against stock --scenario ...

Compared are the 52 observation values, the reward, the hosts with a Red session and the complete state of the random
number generator, after each reset and each step. CybORG's side is one of

    adapter   `pipeline.cage2.cyborg.env`, seeded at each reset
    stock     CybORG's own `ChallengeWrapper`, several episodes on each: the first after `seed, build, wrap, reset`, the
              others after a further reset, with or without a new seed; some are cut short, some last beyond 100 steps

CybORG plays the scenario that the project makes of its own facts, which can't show a fact that is wrong on both sides,
or with `--scenario` the challenge's own files (`parts.published`).

`--recorded` takes games that hardly ever occur, in which a host has the address that a process of Defender names
(`network.draw_addresses`): each is reset with its seed, and played against each of Blue's policies.

The leaderboard profile is compared with CybORG's stock wrapper too, after two of its functions are put back to what
they did on the contest's final day: Red's memory of ports is not cleared by a scan, and a version that is not a string
is unknown (cage-challenge-2, commit 606813b).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from parts import published, recorded
from parts.blue_policies import POLICIES, find_policy
from parts.cyborg_sides import Adapter, Stock, leaderboard_rules, played_on

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.cage2.facts.names import Profile

Against = Literal["adapter", "stock"]

ODD_SEEDS = (0, -1, 2**31, 2**32, 2**63, -(2**63), 2**64, 2**200 + 1, 3**1000)
EPISODES_PER_ENVIRONMENT = 5


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first difference in an environment's life."""

    red_agent: str
    policy: str
    seed: str
    episode: int
    step: int
    action: str
    field: str
    cyborg: str
    engine: str


@dataclass(slots=True)
class Tally:
    """What was compared."""

    red_agent: str
    policy: str
    episodes: int = 0
    steps: int = 0
    mismatches: int = 0
    first: Mismatch | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The life of one environment."""

    red_agent: str
    policy: str
    seed: int
    num_episodes: int
    against: Against
    profile: Profile
    scenario: dict[str, Any] | None = None
    """What CybORG plays; None: the project's own."""
    seeds: tuple[int, ...] = ()
    """Of the episodes, which are then all resets, of 100 steps; none: see the module."""


def compare(job: Job) -> Tally:
    """Play one environment on both sides, up to the first difference."""
    with ExitStack() as stack:
        stack.enter_context(played_on(job.scenario))
        if job.profile == "leaderboard":
            stack.enter_context(leaderboard_rules())
        return _compare(job)


def _compare(job: Job) -> Tally:
    tally = Tally(job.red_agent, job.policy)
    rng = random.Random(f"{job.seed} {job.red_agent} {job.policy}")  # noqa: S311 - a game, no secret
    policy = find_policy(job.policy)
    fast = FastEnv(job.red_agent, job.profile)
    cyborg = Adapter(job.red_agent) if job.against == "adapter" else Stock(job.red_agent, job.seed)
    for episode in range(job.num_episodes):
        seed: int | None = None
        num_steps = spec.EPISODE_STEPS
        if job.seeds or isinstance(cyborg, Adapter):
            seed = job.seeds[episode] if job.seeds else job.seed + episode
            cyborg_observation = cyborg.reset(seed)
            observation = fast.reset(seed)
        elif episode == 0:
            cyborg_observation = cyborg.reset(None)
            observation = fast.reset(job.seed, is_new=True)
        else:
            seed = rng.choice((None, rng.getrandbits(64), rng.choice(ODD_SEEDS)))
            num_steps = rng.choice((num_steps, num_steps, rng.randrange(1, num_steps), num_steps + 50))
            cyborg_observation = cyborg.reset(seed)
            observation = fast.reset(seed)
        tally.episodes += 1
        reward = cyborg_reward = action = 0
        red_hosts = cyborg_red_hosts = fast.red_hosts()
        for step in range(num_steps + 1):
            pairs = (
                ("observation", cyborg_observation, observation.tolist()),
                ("reward in tenths", cyborg_reward, reward),
                ("red hosts", cyborg_red_hosts, red_hosts),
                ("generator", cyborg.generator_state(), fast.batch.generator_state(0)),
            )
            for field, theirs, ours in pairs:
                if theirs != ours:
                    tally.mismatches += 1
                    tally.first = Mismatch(
                        *(job.red_agent, job.policy, str(job.seed if seed is None else seed), episode, step),
                        *(spec.ACTION_NAMES[action], *_explain(field, theirs, ours)),
                    )
                    return tally
            if step == num_steps:
                break
            action = policy(rng, cyborg_observation)
            cyborg_observation, cyborg_reward, cyborg_red_hosts = cyborg.step(action)
            observation, reward = fast.step(action)
            red_hosts = fast.red_hosts()
            tally.steps += 1
    return tally


def _explain(field: str, theirs: Any, ours: Any) -> tuple[str, str, str]:
    """Return field, CybORG's value and the engine's, in short."""
    if field == "observation":
        entry = next(i for i, (a, b) in enumerate(zip(theirs, ours, strict=True)) if a != b)
        host = spec.HOST_NAMES[entry // spec.BITS_PER_HOST]
        return f"observation[{entry}] ({host})", str(theirs[entry]), str(ours[entry])
    if field == "generator":
        words = f"word index {theirs[1][-1]}", f"word index {ours[1][-1]}"
        return "generator (same words)" if theirs[1][:-1] == ours[1][:-1] else "generator (other words)", *words
    if field == "red hosts":
        return field, _host_names(theirs), _host_names(ours)
    return field, str(theirs), str(ours)


def _host_names(mask: int) -> str:
    return ", ".join(name for host, name in enumerate(spec.HOST_NAMES) if mask >> host & 1)


def plan(
    num_episodes: int,
    red_agents: Sequence[str],
    policies: Sequence[str],
    against: Against,
    profile: Profile,
    first_seed: int,
) -> list[Job]:
    """Share out episodes among the combinations of Red's agents and policies, a few to each environment."""
    combinations = list(product(red_agents, policies))
    jobs: list[Job] = []
    while num_episodes > 0:
        red_agent, policy = combinations[len(jobs) % len(combinations)]
        size = min(EPISODES_PER_ENVIRONMENT, num_episodes)
        jobs.append(Job(red_agent, policy, first_seed + 1000 * len(jobs), size, against, profile))
        num_episodes -= size
    return jobs


def plan_seeds(
    seeds: Sequence[int], red_agents: Sequence[str], policies: Sequence[str], against: Against, profile: Profile
) -> list[Job]:
    """Have the episodes of some seeds played in each combination of Red's agents and policies."""
    size = EPISODES_PER_ENVIRONMENT
    shares = [tuple(seeds[first : first + size]) for first in range(0, len(seeds), size)]
    return [
        Job(red_agent, policy, share[0], len(share), against, profile, seeds=share)
        for red_agent, policy, share in product(red_agents, policies, shares)
    ]


def merge(tallies: Sequence[Tally]) -> list[Tally]:
    """Add up tallies by Red's agent and policy."""
    merged: dict[tuple[str, str], Tally] = {}
    for tally in tallies:
        row = merged.setdefault((tally.red_agent, tally.policy), Tally(tally.red_agent, tally.policy))
        row.episodes += tally.episodes
        row.steps += tally.steps
        row.mismatches += tally.mismatches
        row.first = row.first or tally.first
    return list(merged.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, report, and return 1 if there was a mismatch."""
    parser = argparse.ArgumentParser(description="Plays the engine and CybORG side by side.")
    parser.add_argument("--episodes", type=int, default=300)
    parser.add_argument("--red", choices=(*spec.RED_AGENTS, "all"), default="all")
    parser.add_argument("--policy", default="all", help=f"{', '.join(POLICIES)}, all, or a file of action ids")
    parser.add_argument("--profile", choices=("head", "leaderboard"), default="head")
    parser.add_argument("--against", choices=("adapter", "stock"), default="adapter")
    parser.add_argument("--seed", type=int, default=0, help="of the first episode")
    parser.add_argument("--recorded", type=int, metavar="N", help="only the N first games with the recorded address")
    parser.add_argument("--scenario", type=Path, metavar="FOLDER", help="the challenge's own files, for CybORG to play")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    against: Against = "stock" if options.profile == "leaderboard" else options.against
    red_agents = spec.RED_AGENTS if options.red == "all" else (options.red,)
    policies = tuple(POLICIES) if options.policy == "all" else (options.policy,)
    find_policy(policies[0])
    if options.recorded:
        seeds = list(recorded.seeds_from(options.seed, options.recorded))
        jobs = plan_seeds(seeds, red_agents, policies, against, options.profile)
    else:
        jobs = plan(options.episodes, red_agents, policies, against, options.profile, options.seed)
    if options.scenario is not None:
        scenario = published.read_scenario(options.scenario)
        jobs = [replace(job, scenario=scenario) for job in jobs]
    FastEnv(spec.RED_AGENTS[0]).reset(0)  # compiles, once for all processes
    start = time.perf_counter()
    if options.workers == 1:
        tallies = [compare(job) for job in jobs]
    else:
        with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
            tallies = list(pool.imap_unordered(compare, jobs))
    report = {
        "profile": options.profile,
        "against": against,
        "scenario": None if options.scenario is None else str(options.scenario),
        "episodes": sum(tally.episodes for tally in tallies),
        "steps": sum(tally.steps for tally in tallies),
        "mismatches": sum(tally.mismatches for tally in tallies),
        "wall_s": round(time.perf_counter() - start, 1),
        "rows": [asdict(row) for row in merge(tallies)],
    }
    print(json.dumps(report, indent=2) if options.json else _table(report))
    return 1 if report["mismatches"] else 0


def _table(report: dict[str, Any]) -> str:
    scenario = "the project's scenario" if report["scenario"] is None else f"the scenario in {report['scenario']}"
    lines = [f"profile {report['profile']}, CybORG ({report['against']}) plays {scenario}, {report['wall_s']} s"]
    lines.append(f"{'Red':18}{'Blue':10}{'episodes':>10}{'steps':>11}{'mismatches':>12}")
    for row in [*report["rows"], {**report, "red_agent": "all", "policy": ""}]:
        counts = f"{row['episodes']:10,}{row['steps']:11,}{row['mismatches']:12,}"
        lines.append(f"{row['red_agent']:18}{row['policy']:10}{counts}")
    lines += [f"first mismatch: {row['first']}" for row in report["rows"] if row["first"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
