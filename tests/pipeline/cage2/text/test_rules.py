from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from pipeline.cage2.facts import spec
from pipeline.cage2.text.names import STOCK, Names, renamed
from pipeline.cage2.text.rules import rules

DOCS = Path(__file__).parents[4] / "docs" / "gymnasium.md"
NAMES = [STOCK, renamed(0), renamed(1)]


def hosts_of_decoys(text: str) -> dict[str, set[str]]:
    return {kind: set(hosts.split(", ")) for kind, hosts in re.findall(r"^(Decoy\w+) - on (.*)$", text, re.MULTILINE)}


@pytest.mark.parametrize("names", NAMES)
def test_decoys_fit_where_the_game_says_so(names: Names) -> None:
    env = gymnasium.make("pipeline.cage2.gym:Cage2-v0")
    _, info = env.reset(seed=0)
    placeable = {names.actions[action] for action in range(spec.DECOY, spec.RESTORE) if info["action_mask"][action]}
    assert {
        f"{kind} {host}" for kind, hosts in hosts_of_decoys(rules(names, 100)).items() for host in hosts
    } == placeable


@pytest.mark.parametrize("names", NAMES)
def test_points_are_those_of_the_game(names: Names) -> None:
    text = rules(names, 100)
    for index, host in enumerate(spec.HOSTS):
        cost = 0 if index == spec.DEFENDER_INDEX else host.confidentiality_tenths / 10  # which Red can't take
        (line,) = re.findall(rf"^- {cost} for each of these on.*", text, re.MULTILINE) if cost else [""]
        told = re.split(": |, ", line)
        assert (names.hosts[index] in told) == (cost > 0)


def test_what_it_says_of_remove_and_restore_is_so() -> None:
    """Remove leaves a session that was opened by SSH; a Restore of the server starts its service again."""
    env: Any = gymnasium.make("pipeline.cage2.gym:Cage2-v0", max_episode_steps=-1)
    left, stopped, started = 0, 0, 0
    for seed in range(40):
        env.reset(seed=seed)
        for _ in range(40):
            view = env.unwrapped.view()
            seen = view.hosts[spec.OP_SERVER_INDEX].compromised == "User"
            env.step(spec.REMOVE + spec.OP_SERVER_INDEX if seen else spec.SLEEP)
            left += seen and bool(env.unwrapped.view().hosts[spec.OP_SERVER_INDEX].sessions)
        if not env.unwrapped.view().ot_service_up:
            stopped += 1
            env.step(spec.RESTORE + spec.OP_SERVER_INDEX)
            started += env.unwrapped.view().ot_service_up
    assert left > 0
    assert started == stopped > 0


def test_a_renamed_prompt_names_nothing_by_cyborgs_names() -> None:
    text = rules(renamed(3), 30)
    assert not re.search(r"\b(User\d|Enterprise|Op_|Operational|Defender|CybORG|CAGE)", text)
    assert "has 30 steps" in text


def test_it_is_as_long_as_the_documentation_says() -> None:
    text = rules(STOCK, spec.EPISODE_STEPS)
    assert f"{len(text):,} characters" in DOCS.read_text()
    assert max(map(len, text.splitlines())) <= 120
    longest = max(len(rules(renamed(seed), spec.EPISODE_STEPS)) for seed in range(200))
    assert longest <= len(text)
