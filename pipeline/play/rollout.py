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
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.spec import EPISODE_STEPS, HOST_TYPES, NETWORKS_OF_RESET, SLEEP
from pipeline.numerics.compiled import compiled, int64, kernel
from pipeline.play.baselines import BASELINES, play_random, play_restore
from pipeline.play.record import record_layout
from pipeline.policy.forward import Actor, choose, fits, look_up
from pipeline.policy.params import PLAIN
from pipeline.seeding import GOLDEN_GAMMA, MIX_1, MIX_2

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from pipeline.cage2.engine.state import Games, Lists
    from pipeline.cage2.facts.names import Profile

BY_ACTOR = int64(-1)
"""In the place of a baseline: it is the actor that plays."""
_RANDOM, _RESTORE = (list(BASELINES).index(name) for name in ("random", "restore"))
_play_random, _play_restore = compiled(play_random), compiled(play_restore)

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
            ValueError: The record is longer than `num_steps`, there is no such workflow, or record, actor and interface
                are not made for one another.
        """
        if len(record["action"]) > self._num_steps:
            raise ValueError(
                f"an episode of {len(record['action'])} steps needs a player of as many, not {self._num_steps}"
            )
        batch = self._batch
        played = play(
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
        if not played:
            shapes = {name: values.shape for name, values in record.items()}
            raise ValueError(f"no episode of workflow {workflow_id} and of this interface can be written to {shapes}")


@compiled
def uniform(key: np.uint64, index: int) -> float:
    """Return number `index` of `seeding.uniforms(key, ...)`."""
    word = key + np.uint64(index + 1) * _GAMMA
    word = (word ^ (word >> np.uint64(30))) * _MIX_1
    word = (word ^ (word >> np.uint64(27))) * _MIX_2
    return float((word ^ (word >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@compiled
def go_on(
    game: Any,
    lists: Lists,
    memory: Any,
    actor: Any,
    workflow_id: int,
    greedy: bool,
    baseline: int,
    compromised: npt.NDArray[np.uint8],
    verdict: npt.NDArray[np.int8],
    actions_seed: np.uint64,
    observations: npt.NDArray[np.int8],
    actions: npt.NDArray[np.uint8],
    log_probs: npt.NDArray[np.float32],
    rewards: npt.NDArray[np.int16],
    fixes: npt.NDArray[np.int8],
) -> None:
    """Play `T` steps from where the game stands.

    Args:
        game: The record.
        lists: `[3, 13, room]`, with room for `T` entries more in each.
        memory: What Blue remembers.
        actor: The policy, if that plays.
        workflow_id: See `play`, as for `greedy`.
        greedy: As said.
        baseline: Place in `baselines.BASELINES` of who plays; `BY_ACTOR`: the actor.
        compromised: See `play`, as for the rest.
        verdict: As said.
        actions_seed: As said.
        observations: As said, but that `observations[0]` has been written.
        actions: As said.
        log_probs: As said; 0 of a baseline.
        rewards: As said.
        fixes: As said.
    """
    for t in range(len(actions)):
        chance = uniform(actions_seed, t)
        if baseline == BY_ACTOR:
            place = look_up(actor, observations[t], workflow_id)
            choice, log_probs[t] = choose(actor, place, chance, greedy)
        else:
            choice = choose_as(baseline, observations[t], chance)
            log_probs[t] = 0
        actions[t] = choice
        action = act(memory, choice)
        # compliance is judged by what Red held *before* the action
        fixes[t] = verdict[action, compromised[game.red_hosts]]
        step(game, lists, action, AGENTS_CHOICE, NO_TARGET)
        rewards[t] = game.reward
        see(memory, game.observation, observations[t + 1])


@compiled
def choose_as(baseline: int, observation: npt.NDArray[np.int8], chance: float) -> int:
    """Return the action of a baseline, by its place in `baselines.BASELINES`."""
    if baseline == _RANDOM:
        return _play_random(observation, chance)
    if baseline == _RESTORE:
        return _play_restore(observation, chance)
    return SLEEP


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
) -> bool:
    """Play one episode of `T` steps in `games[0]` by `actors[0]`.

    Args:
        games: `[1]` of `state.GAME`.
        lists: `[1, 3, 13, room]`, `room > T`, which is taken for granted.
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

    Returns:
        Whether it was played: nothing is if the arguments don't fit together.
    """
    game, memory, actor = games[0], memories[0], actors[0]
    num_steps = len(actions)
    if not (
        observations.shape == (num_steps + 1, memory.observation_size)
        and num_steps == len(log_probs) == len(rewards) == len(fixes)
        and fits(actor, observations[0], workflow_id)
        and actor.num_actions == memory.num_actions
    ):
        return False
    seed_generator_64(game, environment_seed)
    reset(game, lists[0], NETWORKS_OF_RESET)
    game.observation[:] = 0
    begin(memory, num_steps)
    see(memory, game.observation, observations[0])
    go_on(
        game,
        lists[0],
        memory,
        actor,
        workflow_id,
        greedy,
        BY_ACTOR,
        compromised,
        verdict,
        actions_seed,
        observations,
        actions,
        log_probs,
        rewards,
        fixes,
    )
    return True


def warm_up() -> None:
    """Compile `play`, or load it where an earlier process has kept it."""
    num_steps = 2
    actor = Actor(np.zeros(PLAIN.actor.num_values, np.float32), PLAIN)
    verdicts = Verdicts(range(len(HOST_TYPES)), Compromised.FIXABLE)
    layout = record_layout(num_steps, PLAIN.observation_size)
    record = layout.views(memoryview(bytearray(layout.size_bytes)))
    player = EnginePlayer("SleepAgent", "head", Interface(), num_steps)
    player.play(actor, verdicts, workflow_id=0, environment_seed=0, actions_seed=0, record=record)
