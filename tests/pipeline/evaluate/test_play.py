from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import Verdicts, episode_compliance
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.orders import ORDERS
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.evaluate.headers import EVALUATION_HEADER
from pipeline.evaluate.play import play
from pipeline.evaluate.scenario import Scenario
from pipeline.evaluate.task import EpisodeFailedError, Policy, Task
from pipeline.play.baselines import BASELINES
from pipeline.play.episode import play_episode
from pipeline.play.game import GameSpec
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape

SEED, WORKFLOW_ID = 5, 37
PLAIN = Interface()
WEIGHTS = np.random.default_rng(1).normal(0, 0.3, PolicyShape().actor.num_values).astype(np.float32)
SAMPLED, GREEDY = Policy(WEIGHTS, WORKFLOW_ID, greedy=False), Policy(WEIGHTS, WORKFLOW_ID, greedy=True)
NAMES = [*BASELINES, *CONTEST_BASELINES]
AGENTS = [SAMPLED, GREEDY, *NAMES]
names = ["sampled", "greedy", *NAMES]
every_agent = pytest.mark.parametrize("agent", AGENTS, ids=names)


def task(
    agent: Policy | str,
    num_steps: int = 30,
    first: int = 0,
    num_episodes: int = 4,
    *,
    is_traced: bool = False,
    **game: Any,
) -> Task:
    played = GameSpec("RedMeanderAgent", "fast", "head", "csle", Compromised.FIXABLE, num_steps, Interface())
    group = Scenario("RedMeanderAgent", num_steps).group
    return Task(agent, replace(played, **game), SEED, group, first, num_episodes, is_traced)


def numbers(*tasks: Task) -> tuple[list[int], list[float] | None]:
    parts = [play(each) for each in tasks]
    shares = [share for part in parts if part.compliance is not None for share in part.compliance.tolist()]
    return [tenths for part in parts for tenths in part.return_tenths.tolist()], shares or None


@every_agent
def test_both_engines_give_the_same_bits(agent: Policy | str) -> None:
    assert numbers(task(agent, engine="cyborg")) == numbers(task(agent))


@every_agent
def test_an_episode_depends_on_its_own_index_alone(agent: Policy | str) -> None:
    together = numbers(task(agent, num_episodes=5))
    assert numbers(task(agent, num_episodes=2), task(agent, first=2, num_episodes=3)) == together
    assert len(set(together[0])) > 1 or agent in ("sleep", "Sleep")


@every_agent
def test_seeds_make_a_difference(agent: Policy | str) -> None:
    asked = task(agent, num_steps=100)
    assert numbers(replace(asked, seed=SEED + 1)) != numbers(asked)
    assert numbers(replace(asked, group=Scenario("SleepAgent", 100).group)) != numbers(asked)


def test_the_profile_that_is_asked_for_is_played() -> None:
    """Restored hosts are harder to get into on the leaderboard's."""
    head, leaderboard = (play(task("restore", 100, profile=profile)) for profile in ("head", "leaderboard"))
    assert leaderboard.return_tenths.mean() > head.return_tenths.mean()


def played_here(
    policy: Policy, num_steps: int, index: int, *, greedy: bool = False, interface: Interface = PLAIN
) -> dict[str, Any]:
    """Play an episode of a scenario step by step, as a worker does in training."""
    game = task(policy, num_steps, interface=interface).game
    record = game.record.views(memoryview(bytearray(game.record.size_bytes)))
    group = Scenario("RedMeanderAgent", num_steps).group
    environment, actions = seeding.episode_seeds(SEED, group, [index], seeding.Purpose.COMPARISON)
    play_episode(
        game.env(),
        Memory(game.interface),
        Actor(policy.weights, game.shape),
        Verdicts(ORDERS[policy.workflow_id].tolist(), Compromised.FIXABLE),
        workflow_id=policy.workflow_id,
        environment_seed=int(environment[0]),
        actions_seed=int(actions[0]),
        record=record,
        greedy=greedy,
    )
    return record


@pytest.mark.parametrize("num_steps", [1, 30, 120])
def test_a_policy_that_is_sampled_plays_as_in_training(num_steps: int) -> None:
    records = [played_here(SAMPLED, num_steps, index) for index in range(3)]
    tenths, compliance = numbers(task(SAMPLED, num_steps, num_episodes=3))
    assert tenths == [record["reward_tenths"].sum() for record in records]
    assert compliance == [float(episode_compliance(record["fix"])) for record in records]


def test_a_greedy_policy_takes_the_likeliest_action() -> None:
    actor = Actor(WEIGHTS, PolicyShape())
    records = [played_here(GREEDY, 30, index, greedy=True) for index in range(4)]
    for record in records:
        for t, action in enumerate(record["action"]):
            assert action == actor.distribution(record["observation"][t], WORKFLOW_ID)[0].argmax()
    assert numbers(task(GREEDY))[0] == [record["reward_tenths"].sum() for record in records]
    assert numbers(task(GREEDY)) != numbers(task(SAMPLED))


@pytest.mark.parametrize("actions", ["all", "merged"])
def test_what_a_policy_does_is_counted(actions: Any) -> None:
    interface = Interface(actions=actions)
    shape = PolicyShape.of(interface)
    policy = Policy(WEIGHTS[: shape.actor.num_values], WORKFLOW_ID, greedy=False)
    counted = play(task(policy, num_episodes=2, interface=interface)).action_counts
    assert (
        counted.tolist()
        == sum(
            np.bincount(played_here(policy, 30, index, interface=interface)["action"], minlength=interface.num_actions)
            for index in range(2)
        ).tolist()
    )  # type: ignore[union-attr]  # there are two


def test_what_a_baseline_does_is_counted() -> None:
    counted = play(task("sleep")).action_counts
    assert counted.tolist() == [4 * 30] + [0] * 144
    restored = play(task("restore", 100)).action_counts
    assert restored.sum() == 400
    assert set(np.flatnonzero(restored)) <= {spec.SLEEP, *range(spec.RESTORE, spec.NUM_ACTIONS)}
    assert len(np.flatnonzero(restored)) > 1


def test_a_policy_that_remembers_is_played_with_its_memory() -> None:
    interface = Interface(observation_memory=True, actions="merged")
    shape = PolicyShape.of(interface)
    weights = np.random.default_rng(1).normal(0, 0.3, shape.actor.num_values).astype(np.float32)
    asked = task(Policy(weights, WORKFLOW_ID, greedy=False), interface=interface)
    assert numbers(replace(asked, game=replace(asked.game, engine="cyborg"))) == numbers(asked)


def test_sleep_is_what_the_game_costs_by_itself() -> None:
    """Red that sleeps as well costs nothing."""
    assert numbers(task("sleep", red_agent="SleepAgent")) == ([0, 0, 0, 0], None)


def known(name: str, red_agent: str, num_episodes: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    asked = replace(task(name, 100, num_episodes=num_episodes), group=Scenario(red_agent, 100).group)
    return play(replace(asked, game=replace(asked.game, red_agent=red_agent))).return_tenths / 10


@pytest.mark.parametrize(
    ("name", "red_agent", "expected"),
    [
        ("random", "B_lineAgent", -740),  # 10,000 episodes with numpy's generator: -739.9 +- 3.6, -580.6 +- 2.9
        ("random", "RedMeanderAgent", -581),
        ("sleep", "B_lineAgent", -1135),
        ("sleep", "RedMeanderAgent", -974),
        ("restore", "B_lineAgent", -63.2),
        ("restore", "RedMeanderAgent", -58.5),
    ],
)
def test_the_baselines_score_what_is_known_of_them(name: str, red_agent: str, expected: float) -> None:
    """Four standard errors: both are means of random numbers. The seeds are fixed, so it passes or fails for good."""
    returns = known(name, red_agent, 400)
    assert abs(returns.mean() - expected) < 4 * returns.std() / len(returns) ** 0.5


@every_agent
@pytest.mark.parametrize("engine", ["fast", "cyborg"])
def test_what_is_traced_comes_to_the_same(agent: Policy | str, engine: str) -> None:
    asked = task(agent, engine=engine)
    played, traced = play(asked), play(replace(asked, is_traced=True))
    assert traced.return_tenths.tolist() == played.return_tenths.tolist()
    assert traced.action_counts.tolist() == played.action_counts.tolist()
    if played.compliance is None or traced.compliance is None:
        assert played.compliance is traced.compliance is None
    else:
        assert traced.compliance.tolist() == played.compliance.tolist()
    traces = [json.loads(line) for line in traced.traces.splitlines()]
    assert [trace["index"] for trace in traces] == list(asked.indices)
    assert [round(10 * trace["total_reward"]) for trace in traces] == played.return_tenths.tolist()
    assert played.traces == ""


def test_a_traced_episode_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EpisodeFailedError, match=r"^episode 7 of 30 steps against RedMeanderAgent failed"):
        play(task(Policy(WEIGHTS[:-1], WORKFLOW_ID, greedy=False), first=7, is_traced=True))
    monkeypatch.setitem(BASELINES, "sleep", lambda *_: 145)  # no action of the game
    with pytest.raises(EpisodeFailedError, match=r"^episode 7 of 30 steps against RedMeanderAgent failed"):
        play(task("sleep", first=7, is_traced=True))


def test_an_episode_that_fails_is_named() -> None:
    broken = Policy(WEIGHTS[:-1], WORKFLOW_ID, greedy=False)
    with pytest.raises(EpisodeFailedError) as caught:
        play(task(broken, first=7))
    told = str(caught.value)
    assert told.startswith("episode 7 of 30 steps against RedMeanderAgent failed (engine fast):\n")
    assert "this network has 18577 values, got an array of shape (18576,)" in told
    assert str(pickle.loads(pickle.dumps(caught.value))) == told  # noqa: S301  # as it comes from a worker


def test_a_baseline_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BASELINES, "sleep", lambda *_: 145)  # no action of the game
    with pytest.raises(EpisodeFailedError, match=r"^episode 7 of 30 steps against RedMeanderAgent failed"):
        play(task("sleep", first=7))


@every_agent
@pytest.mark.parametrize("engine", ["fast", "cyborg"])
def test_a_header_tells_what_is_played(agent: Policy | str, engine: str) -> None:
    header = EVALUATION_HEADER.views(memoryview(bytearray(EVALUATION_HEADER.size_bytes)))
    play(task(agent, num_steps=3, engine=engine), header)
    environment, actions = seeding.episode_seeds(
        SEED, Scenario("RedMeanderAgent", 3).group, range(4), seeding.Purpose.COMPARISON
    )
    assert (header["environment_seed"], header["actions_seed"]) == (environment[-1], actions[-1])
    assert header["worker_pid"] == os.getpid()
    assert 0 < header["started_s"] < header["finished_s"]
