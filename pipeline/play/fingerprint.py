"""Whether another machine would play the same bits: what it computes with, and a reference episode computed with it.

The processor has no say in it: compiled code rounds as IEEE 754 prescribes and calls no library's `tanh` or `exp`. The
reference episode proves that two machines agree: its digest covers every probability that it drew from, as float64,
and these are far more sensitive than the actions drawn.
"""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.orders import ORDERS
from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.machine import EPISODE_PACKAGES, package_version, processor
from pipeline.numerics.sources import source_digest
from pipeline.play.record import HEADER
from pipeline.play.rollout import EnginePlayer
from pipeline.policy.forward import Actor

if TYPE_CHECKING:
    from pipeline.play.game import GameSpec

_ROOTS = ("pipeline.workers.ray", "pipeline.play.game")
"""What an actor imports: its own class, and that of the game that it is given."""
_WORKFLOW_ID = 37
_SEED = 20220722
_UNLISTED = "not listed"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What an episode's bits depend on, on one machine."""

    versions: dict[str, str]
    """Of Python and packages, by name."""
    layout: str
    """Digest of a slot's header and record."""
    sources: str
    """Digest of the sources that actors run (`numerics.sources`)."""
    episode: str
    """Digest of the reference episode."""
    machine: str
    """CPU and C library, for the reader; may differ."""

    def differences(self, other: Fingerprint) -> list[str]:
        """Return how `other` differs from this one in what counts, each in a few words; empty if it doesn't."""
        names = dict.fromkeys([*self.versions, *other.versions])  # other sources may list other packages
        told = [
            f"{name} is {other.versions.get(name, _UNLISTED)} there, {self.versions.get(name, _UNLISTED)} here"
            for name in names
            if other.versions.get(name) != self.versions.get(name)
        ]
        if other.layout != self.layout:
            told.append(f"slots are laid out otherwise (digest {other.layout[:12]} there, {self.layout[:12]} here)")
        if other.sources != self.sources:
            told.append(f"the project's sources differ (digest {other.sources[:12]} there, {self.sources[:12]} here)")
        if not told and other.episode != self.episode:
            told.append(
                f"all versions are the same, but floats are rounded otherwise ({other.machine} there, "
                f"{self.machine} here)"
            )
        return told


def take_fingerprint(game: GameSpec) -> Fingerprint:
    """Return this machine's fingerprint for a game.

    The reference episode is played on the fast engine whatever the game's: both give the same bits, and CybORG would
    draw from this process's global generator.
    """
    return Fingerprint(
        versions={
            "Python": platform.python_version(),
            **{name: package_version(name) or "not installed" for name in EPISODE_PACKAGES},
        },
        layout=hashlib.sha256((HEADER.digest + game.record.digest).encode()).hexdigest(),
        sources=source_digest(*_ROOTS),
        episode=_reference_episode(game),
        machine=f"{platform.machine()}, {processor()}, {' '.join(platform.libc_ver()) or platform.system()}",
    )


def _reference_episode(game: GameSpec) -> str:
    layout = game.record
    image = bytearray(layout.size_bytes)
    # uniform numbers are exact everywhere; NumPy's normal ones would go through the C library's log
    weights = np.random.default_rng(_SEED).uniform(-0.5, 0.5, game.shape.actor.num_values).astype(np.float32)
    actor = Actor(weights, game.shape)
    # whoever attacks: an attacker of one's own is not the engine's
    red_agent = next((name for name in game.red_agents if name in RED_AGENTS), RED_AGENTS[0])
    EnginePlayer(red_agent, game.profile, game.interface, game.num_steps).play(
        actor,
        Verdicts(ORDERS[_WORKFLOW_ID].tolist(), game.compromised),
        workflow_id=_WORKFLOW_ID,
        environment_seed=_SEED,
        actions_seed=_SEED,
        record=layout.views(memoryview(image)),
    )
    state = actor.state[0]
    num_kept, num_actions = int(state["num_kept"]), game.shape.num_actions
    digest = hashlib.sha256(image)
    digest.update(state["log_probs"][: num_kept * num_actions].tobytes())
    digest.update(state["cumulative"][: num_kept * num_actions].tobytes())
    return digest.hexdigest()
