import random
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pipeline.cage2.cyborg.env import (
    CyborgEnv,
    EpisodeNotStartedError,
    load_cyborg,
    require_cyborg,
)
from pipeline.cage2.env import Cage2Env
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.images import RECORDED_ADDRESS
from pipeline.cage2.facts.names import UnknownNameError, UnknownRedAgentError
from pipeline.extras import NotInstalledError

Policy = Callable[[random.Random, Any], int]


def anything(rng: random.Random, observation: Any) -> int:
    return rng.randrange(spec.NUM_ACTIONS)


def decoys_first(rng: random.Random, observation: Any) -> int:
    return rng.randrange(spec.DECOY, spec.RESTORE) if rng.random() < 0.7 else anything(rng, observation)


def reacting(rng: random.Random, observation: Any) -> int:
    """Analyses, removes or restores what looks attacked, which keeps Red running up and down its script."""
    suspects = [host for host in range(spec.NUM_HOSTS) if observation[4 * host + 1] or observation[4 * host + 3]]
    if not suspects:
        return anything(rng, observation)
    return rng.choice((spec.ANALYSE, spec.REMOVE, spec.REMOVE, spec.RESTORE)) + rng.choice(suspects)


POLICIES = (anything, decoys_first, reacting)


def stock(red_agent: str) -> Any:
    """CybORG's own environment for the challenge, on the same scenario."""
    cyborg = load_cyborg("csle")
    from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper

    main = cyborg.main(cyborg.scenario, "sim", agents={"Red": getattr(cyborg.agents, red_agent)})
    return ChallengeWrapper(env=main, agent_name="Blue")


def hosts_with_red(wrapper: Any) -> int:
    state = wrapper.get_attr("environment_controller").state
    return sum(
        1 << spec.HOST_NAMES.index(host) for host in {session.host for session in state.sessions["Red"].values()}
    )


def play_in_lockstep(env: CyborgEnv, wrapper: Any, policy: Policy, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test's policy
    random.seed(seed)
    expected, _ = wrapper.reset()
    observation = env.reset(seed)
    for step in range(spec.EPISODE_STEPS + 1):
        where = f"{policy.__name__}, seed {seed}, before step {step}"
        assert observation.dtype == np.int8, where
        np.testing.assert_array_equal(observation, expected, where)
        assert env.generator == random.getstate(), where  # the global one is the wrapper's: env leaves it alone
        assert env.red_hosts() == hosts_with_red(wrapper), where
        action = policy(rng, observation)
        expected, expected_reward, *_ = wrapper.step(action)
        observation, reward = env.step(action)
        assert reward / 10 == expected_reward, where


@pytest.mark.parametrize(("seed", "host"), [(1097, "Op_Server0"), (3082, "User1")])
def test_red_lists_the_address_first_that_a_process_of_defender_names(seed: int, host: str) -> None:
    """Where a host has it: one game in 4,779."""
    env, wrapper = CyborgEnv("RedMeanderAgent"), stock("RedMeanderAgent")
    env.reset(seed)
    [first, *others] = env.red.action_space.get_action_space()["ip_address"]
    assert str(first) == RECORDED_ADDRESS
    assert env.simulator.ip_addresses[first] == host
    assert [env.simulator.ip_addresses[other] for other in others] == [name for name in spec.HOST_NAMES if name != host]
    play_in_lockstep(env, wrapper, anything, seed)


@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_the_game_is_cyborg_s(red_agent: str) -> None:
    env, wrapper = CyborgEnv(red_agent), stock(red_agent)
    for seed, policy in enumerate(POLICIES):
        play_in_lockstep(env, wrapper, policy, seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_the_game_is_cyborg_s_in_many_episodes(red_agent: str, policy: Policy) -> None:
    env, wrapper = CyborgEnv(red_agent), stock(red_agent)
    for seed in range(1000, 1050):
        play_in_lockstep(env, wrapper, policy, seed)


def test_actions_are_in_cyborg_s_order() -> None:
    wrapper = stock("SleepAgent")
    assert tuple(str(action).strip() for action in wrapper.possible_actions) == spec.ACTION_NAMES
    own = CyborgEnv("SleepAgent")._actions
    for action, expected in zip(own, wrapper.possible_actions, strict=True):
        assert type(action) is type(expected)
        assert action.get_params() == expected.get_params()


def returns(env: Cage2Env, seed: int, num_steps: int = 30) -> list[int]:
    rng = random.Random(seed)  # noqa: S311 - a test's policy
    env.reset(seed)
    return [env.step(rng.randrange(spec.NUM_ACTIONS))[1] for _ in range(num_steps)]


def test_an_episode_depends_on_its_seed_alone() -> None:
    env = CyborgEnv("B_lineAgent")
    first = returns(env, 7)
    for seed in range(5):
        returns(env, seed, num_steps=10)
    assert returns(env, 7) == first
    assert returns(CyborgEnv("B_lineAgent"), 7) == first


def test_environments_keep_apart() -> None:
    seeds = (1, 2)
    alone = [returns(CyborgEnv("RedMeanderAgent"), seed) for seed in seeds]
    envs = [CyborgEnv("RedMeanderAgent") for _ in seeds]
    rngs = [random.Random(seed) for seed in seeds]  # noqa: S311 - a test's policy
    for env, seed in zip(envs, seeds, strict=True):
        env.reset(seed)
    together: list[list[int]] = [[], []]
    for _ in range(30):
        for env, rng, rewards in zip(envs, rngs, together, strict=True):
            rewards.append(env.step(rng.randrange(spec.NUM_ACTIONS))[1])
    assert together == alone


def test_the_program_s_own_random_numbers_are_untouched() -> None:
    random.seed(3)
    before = random.getstate()
    env = CyborgEnv("B_lineAgent")
    env.reset(0)
    env.step(20)
    assert random.getstate() == before


def test_a_failing_step_gives_the_generator_back() -> None:
    env = CyborgEnv("B_lineAgent")
    env.reset(0)
    env._actions[0] = None
    before = random.getstate()
    with pytest.raises(AttributeError):
        env.step(0)
    assert random.getstate() == before


def test_cyborg_s_module_is_as_it_was() -> None:
    import ipaddress

    import csle_cyborg.simulator.state as module

    CyborgEnv("SleepAgent").reset(0)
    assert module.IPv4Network is ipaddress.IPv4Network


def test_numpy_s_integers_will_do() -> None:
    env = CyborgEnv("B_lineAgent")
    plain = env.reset(2**63 + 11), env.step(133)
    numpy = env.reset(np.uint64(2**63 + 11)), env.step(np.uint8(133))  # type: ignore[arg-type]
    np.testing.assert_array_equal(plain[0], numpy[0])
    np.testing.assert_array_equal(plain[1][0], numpy[1][0])
    assert plain[1][1] == numpy[1][1] == -10


def test_observations_are_the_caller_s_own() -> None:
    env = CyborgEnv("B_lineAgent")
    env.reset(0)[:] = 1
    first, _ = env.step(0)
    kept = first.copy()
    env.step(0)
    np.testing.assert_array_equal(first, kept)


def test_what_can_t_be_played() -> None:
    with pytest.raises(UnknownRedAgentError, match="RedMeanderAgent"):
        CyborgEnv("Meander")
    with pytest.raises(UnknownNameError, match="unknown CybORG 'cage': choose one of csle, upstream"):
        CyborgEnv("B_lineAgent", "cage")
    env = CyborgEnv("SleepAgent")
    with pytest.raises(EpisodeNotStartedError, match="reset"):
        env.step(0)
    env.reset(0)
    for action in (-1, spec.NUM_ACTIONS):
        with pytest.raises(ValueError, match="0 to 144"):
            env.step(action)


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_cyborg("csle")
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "CybORG", raising=False)
    with pytest.raises(NotInstalledError, match="cage-challenge-2"):
        CyborgEnv("B_lineAgent", "upstream")


def test_upstream_is_addressed_by_its_own_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """On a stand-in: modules named and shaped as upstream's, a scenario by its path, and csle's game behind them."""
    csle = load_cyborg("csle")
    scenario_file = tmp_path / "Shared" / "Scenarios" / "Scenario2.yaml"

    def main(scenario: str, environment: str, agents: dict[str, Any]) -> Any:
        assert scenario == str(scenario_file)
        return csle.main(csle.scenario, environment, agents=agents)

    root, shared = ModuleType("CybORG"), ModuleType("CybORG.Shared")
    for module in (root, shared):
        module.__path__ = []
    root.__spec__ = sys.modules[__name__].__spec__  # that a module is looked for is all that matters
    root.CybORG, root.Agents, root.Shared, shared.Actions = main, csle.agents, shared, csle.actions  # type: ignore[attr-defined]
    stand_in = {
        "CybORG": root,
        "CybORG.Agents": csle.agents,
        "CybORG.Shared": shared,
        "CybORG.Shared.Actions": csle.actions,
    }
    for name, module in stand_in.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("inspect.getfile", lambda _: str(tmp_path / "CybORG.py"))
    assert returns(CyborgEnv("B_lineAgent", "upstream"), 5) == returns(CyborgEnv("B_lineAgent"), 5)


LIGHT = """
import sys
from pipeline.cage2.cyborg.env import CyborgEnv
assert "csle_cyborg" not in sys.modules
env = CyborgEnv("B_lineAgent")
env.reset(0)
for action in range(145):
    env.step(action)
heavy = {"torch", "stable_baselines3", "paramiko", "gpytorch", "pydantic", "rich", "structlog"} & set(sys.modules)
assert not heavy, heavy
"""


def test_a_worker_stays_light() -> None:
    subprocess.run([sys.executable, "-c", LIGHT], check=True)
