"""CybORG as the comparisons see it: reset, step, and the state of the random number generator."""

from __future__ import annotations

import copy
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.cage2.cyborg import env
from pipeline.cage2.cyborg.env import CyborgEnv, load_cyborg
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Adapter:
    """CybORG behind `CyborgEnv`."""

    def __init__(self, red_agent: str) -> None:
        self._env = CyborgEnv(red_agent)

    def reset(self, seed: int) -> list[int]:
        """Seed, and reset an existing environment."""
        return list(self._env.reset(seed))

    def step(self, action: int) -> tuple[list[int], int, int]:
        """Return observation, reward in tenths and red hosts."""
        observation, reward = self._env.step(action)
        return list(observation), reward, self._env.red_hosts()

    def generator_state(self) -> tuple[Any, ...] | None:
        """Return the state of the game's generator."""
        return self._env.generator


class Stock:
    """CybORG behind its own `ChallengeWrapper`, on Python's global generator, which is nobody else's here.

    Args:
        red_agent: One of CybORG's, by its name, or the class of another.
        seed: Of the generator, before anything is built.
    """

    def __init__(self, red_agent: str | type, seed: int) -> None:
        cyborg = load_cyborg("csle")
        from csle_cyborg.agents.wrappers.challenge_wrapper import ChallengeWrapper

        agent = getattr(cyborg.agents, red_agent) if isinstance(red_agent, str) else red_agent
        random.seed(seed)
        self._main = cyborg.main(cyborg.scenario, "sim", agents={"Red": agent})
        self._env = ChallengeWrapper(env=self._main, agent_name="Blue")

    def reset(self, seed: int | None) -> list[int]:
        """Reset, after seeding if there is a seed."""
        if seed is not None:
            random.seed(seed)
        return [int(value) for value in self._env.reset()[0]]

    def step(self, action: int) -> tuple[list[int], int, int]:
        """Return observation, reward in tenths and red hosts."""
        observation, reward, *_ = self._env.step(action)
        tenths = round(reward * 10)
        if repr(tenths / 10) != repr(float(reward)):
            raise AssertionError(f"a reward that is no multiple of a tenth: {reward!r}")
        sessions = self.controller.state.sessions["Red"].values()
        hosts = {spec.HOST_NAMES.index(session.host) for session in sessions}
        return [int(value) for value in observation], tenths, sum(1 << host for host in hosts)

    def generator_state(self) -> tuple[Any, ...]:
        """Return the state of the game's generator."""
        return random.getstate()

    @property
    def controller(self) -> Any:
        """What CybORG plays the game with."""
        return self._main.environment_controller


@contextmanager
def played_on(scenario: dict[str, Any] | None) -> Iterator[None]:
    """Let CybORG, whichever side is built meanwhile, play a scenario in the place of the project's; None: that one."""
    own = env.cyborg_scenario
    if scenario is not None:
        env.cyborg_scenario = lambda: copy.deepcopy(scenario)
    try:
        yield
    finally:
        env.cyborg_scenario = own


@contextmanager
def leaderboard_rules() -> Iterator[None]:
    """Let CybORG play as it did on the contest's final day."""
    load_cyborg("csle")
    from csle_cyborg.shared.enums import ProcessVersion
    from csle_cyborg.simulator.session import RedAbstractSession

    parse, clear = ProcessVersion.parse_string, RedAbstractSession.clearports

    def parse_strings_only(version: object) -> object:
        return parse(version) if isinstance(version, str) else ProcessVersion.UNKNOWN

    ProcessVersion.parse_string = parse_strings_only
    RedAbstractSession.clearports = lambda _, __: None
    try:
        yield
    finally:
        ProcessVersion.parse_string = parse
        RedAbstractSession.clearports = clear
