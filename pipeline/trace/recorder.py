"""Episodes played step by step, on either engine, and written down as traces."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.cage2.attackers.reference import require_same
from pipeline.cage2.cyborg.env import CyborgEnv, load_cyborg
from pipeline.cage2.cyborg.view import cyborg_view
from pipeline.cage2.engine import game_batch
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.game import step_games
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import Fix, episode_compliance
from pipeline.cage2.mixed_env import mixed_index
from pipeline.cage2.show.fast_view import draw_addresses, fast_view
from pipeline.contest.generator import Game, OnRandom, random_kept
from pipeline.numerics.compiled import must_be_compiled
from pipeline.policy.forward import place_of
from pipeline.trace import blue
from pipeline.trace.trace import BlueMove, Network, RedMove, Reward, Step, Trace

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.cage2.show.view import Addresses, View
    from pipeline.play.game import GameSpec
    from pipeline.trace.blue import Blue, Decision
    from pipeline.trace.trace import Seen, Verdict

    Table = npt.NDArray[np.int8]

_VERDICTS: dict[Fix, Verdict] = {
    Fix.NONE: "none",
    Fix.NOT_COMPLIANT: "not_compliant",
    Fix.COMPLIANT: "compliant",
}
_RESTORE_POINTS = -spec.RESTORE_TENTHS / 10


class _Game(Game, Protocol):
    """A game that can be looked at."""

    def red_hosts(self) -> int: ...

    def view(self) -> View: ...


class _FastGame(FastEnv):
    """On the engine, which draws addresses and forgets them: they are drawn once more."""

    _addresses: Addresses

    def reset(self, seed: int | None, *, is_new: bool = False) -> Table:
        self._addresses = draw_addresses(random.Random(seed))  # noqa: S311  # the game's own generator
        return super().reset(seed, is_new=is_new)

    def view(self) -> View:
        return fast_view(self.batch, 0, self._addresses)


class _CyborgGame(CyborgEnv):
    """On CybORG."""

    def reset(self, seed: int | None, *, is_new: bool = False) -> Table:
        self._num_steps, self._last = 0, (super().reset(seed, is_new=is_new), spec.SLEEP)
        return self._last[0]

    def step(self, action: int) -> tuple[Table, int]:
        table, reward = super().step(action)
        self._num_steps, self._last = self._num_steps + 1, (table, action)
        return table, reward

    def view(self) -> View:
        table, action = self._last
        return cyborg_view(self, table, self._num_steps, action)


def prepare(game: GameSpec, *, is_policy: bool) -> None:
    """Import and compile what takes long and is needed, for a policy or a baseline, and nothing else."""
    if game.engine == "fast":
        game_batch.warm_up()
    else:
        load_cyborg(game.cyborg)
    if is_policy:
        blue.warm_up()


def must_compile(game: GameSpec, *, is_policy: bool) -> bool:
    """Return whether `prepare` has machine code to make, once, which takes some 10 seconds."""
    return (game.engine == "fast" and must_be_compiled(step_games)) or (is_policy and must_be_compiled(place_of))


class Recorder:
    """Plays episodes and writes them down.

    Args:
        game: What is played.
        player: Who plays it.
    """

    def __init__(self, game: GameSpec, player: Blue) -> None:
        self._spec = game
        self._player = player
        self._red_agents = game.red_agents
        self._games = [self._game(red_agent) for red_agent in self._red_agents]
        require_same(game.red_sha256, self._red_agents)

    def play(self, group: int, index: int, environment_seed: int, actions_seed: int) -> Trace:
        """Play an episode; see `trace.Trace` for what it is told by."""
        attacker = mixed_index(environment_seed, len(self._games)) if len(self._games) > 1 else 0
        with random_kept():  # the agent may have seeded it, or draw from it
            return self._play(attacker, group, index, environment_seed, actions_seed)

    def _play(self, attacker: int, group: int, index: int, environment_seed: int, actions_seed: int) -> Trace:
        looked_at, player = self._games[attacker], self._player
        game = OnRandom(looked_at) if player.draws else looked_at
        player.begin(self._spec.num_steps, environment_seed, actions_seed, game.reset(environment_seed))
        steps, fixes, tenths = [], [], 0
        for _ in range(self._spec.num_steps):
            saw, decision = player.saw(), player.decide()
            # compliance is judged by what Red held *before* the action
            fix = self._judge(decision.action, looked_at.red_hosts())
            table, reward = game.step(decision.action)
            player.see(table)
            steps.append(_step(saw, decision, fix, reward, looked_at.view()))
            fixes.append(Fix.NONE if fix is None else fix)
            tenths += reward
        player.end()
        hosts = looked_at.view().hosts
        return Trace(
            red_agent=self._red_agents[attacker],
            group=group,
            index=index,
            environment_seed=environment_seed,
            actions_seed=actions_seed,
            total_reward=tenths / 10,
            compliance=None if player.verdicts is None else float(episode_compliance(np.array(fixes))),
            addresses={host.name: host.address for host in hosts},
            subnets={host.subnet: host.cidr for host in hosts},
            steps=tuple(steps),
            last_saw=player.saw(),
        )

    def _game(self, red_agent: str) -> _Game:
        if self._spec.engine == "fast":
            return _FastGame(red_agent, self._spec.profile)
        return _CyborgGame(red_agent, self._spec.cyborg)

    def _judge(self, action: int, red_hosts: int) -> Fix | None:
        verdicts = self._player.verdicts
        return None if verdicts is None else Fix(verdicts.fix[action, verdicts.compromised[red_hosts]])


def _step(saw: Seen, decision: Decision, fix: Fix | None, tenths: int, view: View) -> Step:
    costs = view.reward_breakdown()
    return Step(
        blue=BlueMove(
            saw=saw,
            choice=decision.choice,
            action=spec.ACTION_NAMES[decision.action],
            probability=decision.probability,
            likeliest=decision.likeliest,
            success=view.blue_success,
            verdict=None if fix is None else _VERDICTS[fix],
        ),
        red=RedMove(view.red_action or "", view.red_target, view.red_success),
        reward=Reward(
            total=tenths / 10,
            action=_RESTORE_POINTS if decision.action >= spec.RESTORE else 0.0,
            confidentiality={host: cost.confidentiality for host, cost in costs.items() if cost.confidentiality},
            availability={host: cost.availability for host, cost in costs.items() if cost.availability},
        ),
        network=Network(
            sessions={
                host.name: tuple("Privileged" if session.privileged else "User" for session in host.sessions)
                for host in view.hosts
                if host.sessions
            },
            decoys={host.name: host.decoys for host in view.hosts if host.decoys},
            known=tuple(host.name for host in view.hosts if host.known),
            scanned=tuple(host.name for host in view.hosts if host.scanned),
            ot_service_up=view.ot_service_up,
        ),
    )
