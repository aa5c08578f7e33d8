"""Which game is played: all that a worker must know to build its environment."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, get_args

from pipeline.cage2.attackers.reference import is_reference, require_same
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.cyborg.env import CyborgEnv, load_cyborg
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.names import Compromised, Engine, Package, Profile, require
from pipeline.cage2.mixed_env import MixedEnv, mixed_index, red_agents_of
from pipeline.play import episode, rollout
from pipeline.play.record import record_layout
from pipeline.policy.params import HIDDEN_SIZES, PolicyShape

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from native_buffers.layout import Layout
    from pipeline.cage2.blue.interface import Interface
    from pipeline.cage2.env import Cage2Env
    from pipeline.cage2.facts.compliance import Verdicts
    from pipeline.policy.forward import Actor
    from pipeline.policy.params import HiddenSizes


class PlayEpisode(Protocol):
    """Plays one episode and writes it down; see `episode.play_episode`."""

    def __call__(
        self,
        actor: Actor,
        verdicts: Verdicts,
        *,
        workflow_id: int,
        environment_seed: int,
        actions_seed: int,
        record: Mapping[str, npt.NDArray[Any]],
        greedy: bool = False,
    ) -> None:
        """Play it."""
        ...


@dataclass(frozen=True)
class GameSpec:
    """A game, by name; small, for it is pickled to every worker.

    Raises:
        UnknownNameError: A name is none of those that there are. (The Red agent's is left to what plays the game.)
        ValueError: The engine doesn't play the profile.
    """

    red_agent: str
    """Who attacks, as `mixed_env.red_agents_of` takes it."""
    engine: Engine
    profile: Profile
    cyborg: Package
    compromised: Compromised
    num_steps: int
    interface: Interface
    hidden_sizes: HiddenSizes = HIDDEN_SIZES
    """Of the policies that play it."""
    red_sha256: Mapping[str, str] = field(default_factory=dict)
    """Of the sources of attackers of one's own, by reference: others are refused. What isn't named is not checked."""

    def __post_init__(self) -> None:
        for what, name, names in (
            ("engine", self.engine, get_args(Engine)),
            ("profile", self.profile, get_args(Profile)),
            ("CybORG", self.cyborg, get_args(Package)),
            ("compromised", self.compromised, tuple(Compromised)),
        ):
            require(what, name, names)
        if self.engine == "cyborg" and self.profile != "head":
            msg = f"CybORG plays profile 'head' only: {self.profile!r} needs engine 'fast'"
            raise ValueError(msg)

    @property
    def shape(self) -> PolicyShape:
        """The sizes of a policy that plays it."""
        return PolicyShape.of(self.interface, self.hidden_sizes)

    @property
    def record(self) -> Layout:
        """What an episode of it is in memory."""
        return record_layout(self.num_steps, self.interface.observation_size)

    @property
    def red_agents(self) -> tuple[str, ...]:
        """All that may attack."""
        return red_agents_of(self.red_agent)

    def prepare(self) -> None:
        """Import and compile what takes long, so that building the environment doesn't."""
        if self.engine == "cyborg":
            load_cyborg(self.cyborg)
        elif not all(map(is_reference, self.red_agents)):
            rollout.warm_up()
        if self.engine == "cyborg" or any(map(is_reference, self.red_agents)):
            episode.warm_up()

    def env(self) -> Cage2Env:
        """Build the environment, to be played step by step.

        Raises:
            AttackerNotFoundError: There is no such attacker of one's own, or its source is another one.
        """
        if len(self.red_agents) > 1:
            return MixedEnv([replace(self, red_agent=agent).env() for agent in self.red_agents])
        (red_agent,) = self.red_agents
        env = FastEnv(red_agent, self.profile) if self.engine == "fast" else CyborgEnv(red_agent, self.cyborg)
        require_same(self.red_sha256, self.red_agents)  # what was run for it, just now or before
        return env

    def play_episode(self) -> PlayEpisode:
        """Build the environment; return what plays whole episodes in it.

        Raises:
            AttackerNotFoundError: There is no such attacker of one's own, or its source is another one.
        """
        if len(self.red_agents) > 1:
            return _mixed([replace(self, red_agent=agent).play_episode() for agent in self.red_agents])
        if self.engine == "fast" and not is_reference(self.red_agents[0]):
            return rollout.EnginePlayer(self.red_agents[0], self.profile, self.interface, self.num_steps).play
        episode.warm_up()  # of the workers that start, one compiles it, before any has an episode to play
        return partial(episode.play_episode, self.env(), Memory(self.interface))


def _mixed(players: list[PlayEpisode]) -> PlayEpisode:
    """Return what plays an episode against the agent of its seed; there is one of `players` for each."""

    def play(actor: Actor, verdicts: Verdicts, *, environment_seed: int, **rest: Any) -> None:
        players[mixed_index(environment_seed, len(players))](actor, verdicts, environment_seed=environment_seed, **rest)

    return play
