"""The rollout as one kernel: game, policy, sampling, compliance and the writing of the slot, episode by episode.

What it writes is what `episode.play_episode` writes for the same seeds, bit for bit, for either engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory, act, begin, see
from pipeline.cage2.engine.game import AGENTS_CHOICE, reset, step
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.mersenne import seed_generator_64
from pipeline.cage2.engine.red import NO_TARGET
from pipeline.cage2.facts.compliance import Compromised, Verdicts
from pipeline.cage2.facts.orders import NUM_WORKFLOWS
from pipeline.cage2.facts.spec import EPISODE_STEPS, HOST_TYPES, NETWORKS_OF_RESET
from pipeline.numerics.compiled import compiled, kernel
from pipeline.play.record import record_layout
from pipeline.policy.forward import Actor, choose, look_up
from pipeline.policy.params import PLAIN
from pipeline.seeding import GOLDEN_GAMMA, MIX_1, MIX_2

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from pipeline.cage2.engine.state import Games, Lists
    from pipeline.cage2.facts.names import Profile


_GAMMA, _MIX_1, _MIX_2 = np.uint64(GOLDEN_GAMMA), np.uint64(MIX_1), np.uint64(MIX_2)


class EnginePlayer:
    """Plays whole episodes on the fast engine.

    Args:
        red_agent: One of `spec.RED_AGENTS`.
        profile: Which state of the game is played.
        interface: What the policy sees and may do.
        num_steps: Steps of the longest episode.
    """

    def __init__(self, red_agent: str, profile: Profile, interface: Interface, num_steps: int = EPISODE_STEPS) -> None:
        self._batch = GameBatch(1, red_agent, profile, room=num_steps)
        self._memory = Memory(interface)
        self._shape = interface.observation_size, interface.num_actions
        self._num_steps = num_steps

    def play(
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
        """Play one episode and write it down; see `episode.play_episode`.

        Raises:
            ValueError: The record is longer than `num_steps`, it or the actor is not for this interface, or there is no
                such workflow.
        """
        self._check(actor, workflow_id, record)
        batch = self._batch
        play(
            batch.games,
            batch.lists,
            self._memory.state,
            actor.state,
            workflow_id,
            greedy,
            verdicts.compromised,
            verdicts.fix,
            np.uint64(environment_seed),
            np.uint64(actions_seed),
            record["observation"],
            record["action"],
            record["log_prob"],
            record["reward_tenths"],
            record["fix"],
        )

    def _check(self, actor: Actor, workflow_id: int, record: Mapping[str, npt.NDArray[Any]]) -> None:
        """Refuse what compiled code would read or write beyond its end."""
        num_steps = len(record["action"])
        if num_steps > self._num_steps:
            raise ValueError(f"an episode of {num_steps} steps needs a player of as many, not {self._num_steps}")
        shapes = [record[name].shape for name in ("observation", "log_prob", "reward_tenths", "fix")]
        if shapes != [(num_steps + 1, self._shape[0]), *[(num_steps,)] * 3]:
            raise ValueError(f"not the record of {num_steps} steps that show {self._shape[0]} bits each: {shapes}")
        if (actor.shape.observation_size, actor.shape.num_actions) != self._shape:
            raise ValueError(f"the actor is for another interface: {actor.shape}")
        if not 0 <= workflow_id < NUM_WORKFLOWS:
            raise ValueError(f"workflow {workflow_id} is none of 0 to {NUM_WORKFLOWS - 1}")


@compiled
def uniform(key: np.uint64, index: int) -> float:
    """Return number `index` of `seeding.uniforms(key, ...)`."""
    word = key + np.uint64(index + 1) * _GAMMA
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return float((word ^ (word >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@kernel
def play(
    games: Games,
    lists: Lists,
    memories: npt.NDArray[np.void],
    actors: npt.NDArray[np.void],
    workflow_id: int,
    greedy: bool,
    compromised: npt.NDArray[np.uint8],
    verdict: npt.NDArray[np.int8],
    environment_seed: np.uint64,
    actions_seed: np.uint64,
    observations: npt.NDArray[np.int8],
    actions: npt.NDArray[np.uint8],
    log_probs: npt.NDArray[np.float32],
    rewards: npt.NDArray[np.int16],
    fixes: npt.NDArray[np.int8],
) -> None:
    """Play one episode of `T` steps in `games[0]` by `actors[0]`.

    Args:
        games: `[1]` of `state.GAME`.
        lists: `[1, 3, 13, room]`, `room > T`.
        memories: `[1]` of `memory.MEMORY`.
        actors: `[1]` of `forward.ACTOR_STATE`.
        workflow_id: 0 to 119.
        greedy: Whether the likeliest action is taken instead of one that is drawn.
        compromised: `[8192]`, see `compliance.Verdicts`.
        verdict: `[145, 32]`, see `compliance.Verdicts`.
        environment_seed: uint64; seeds the game as `random.seed` does.
        actions_seed: uint64; see `seeding.uniforms`.
        observations: `[T + 1, observation_size]`, written, as are the rest.
        actions: `[T]`, indices among the interface's actions.
        log_probs: `[T]`, nats.
        rewards: `[T]`, tenths of a point.
        fixes: `[T]`, values of `compliance.Fix`.
    """
    game, memory, actor = games[0], memories[0], actors[0]
    seed_generator_64(game, environment_seed)
    reset(game, lists[0], NETWORKS_OF_RESET)
    game.observation[:] = 0
    begin(memory, len(actions))
    see(memory, game.observation, observations[0])
    for t in range(len(actions)):
        place = look_up(actor, observations[t], workflow_id)
        choice = choose(actor, place, uniform(actions_seed, t), greedy)
        actions[t] = choice
        log_probs[t] = actor.log_probs[place, choice]
        action = act(memory, choice)
        # compliance is judged by what Red held *before* the action
        fixes[t] = verdict[action, compromised[game.red_hosts]]
        step(game, lists[0], action, AGENTS_CHOICE, NO_TARGET)
        rewards[t] = game.reward
        see(memory, game.observation, observations[t + 1])


def warm_up() -> None:
    """Compile what workers call, or load it where an earlier process has kept it."""
    num_steps = 2
    actor = Actor(np.zeros(PLAIN.actor.num_values, np.float32), PLAIN)
    verdicts = Verdicts(range(len(HOST_TYPES)), Compromised.FIXABLE)
    layout = record_layout(num_steps, PLAIN.observation_size)
    record = layout.views(memoryview(bytearray(layout.size_bytes)))
    player = EnginePlayer("SleepAgent", "head", Interface(), num_steps)
    player.play(actor, verdicts, workflow_id=0, environment_seed=0, actions_seed=0, record=record)
    memory, row, table = Memory(Interface()), record["observation"][0], record["observation"][1]
    memory.begin(num_steps, table, row)
    memory.act(actor.sample(row, 0, 0.5)[0])
    memory.see(table, row)
