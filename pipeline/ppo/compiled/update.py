"""The compiled form of an update: the policy's vectors in the kernels' order, trained there, and handed back.

    policy (torch) -+--from_flat--> actor --evaluate, train; on this thread--> actor --to_flat-+-> policy (torch)
                    '-------------> critic ------ the same; on the helper ---> critic ---------'

Actor and critic share nothing but what was played. With a helper each epoch of the critic's runs beside the actor's, to
the same bits: the actor, which has more to do, says after each whether there is another one. The kernel doesn't hold
the interpreter's lock: an event loop goes on while it runs.
"""

from __future__ import annotations

from concurrent.futures import wait
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.policy.network import useless
from pipeline.ppo.compiled import mlp
from pipeline.ppo.compiled.epoch import EVALUATE_ACTOR, EVALUATE_CRITIC, TRAIN_ACTOR, TRAIN_CRITIC, run
from pipeline.ppo.compiled.loss_gradient import METRICS
from pipeline.ppo.compiled.steps import Steps, new_workspace, settings_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import numpy.typing as npt
    from torch.nn import Parameter

    from pipeline.policy.params import MlpShape
    from pipeline.policy.store import PolicyState
    from pipeline.ppo.compiled.mlp import Mlp
    from pipeline.ppo.recipe import Recipe
    from pipeline.ppo.samples import Samples


class CompiledUpdate:
    """One update of one policy on the CPU.

    Args:
        policy: Left alone until `hand_over`.
        samples: What was played; what is not known yet is written by `evaluate`.
        recipe: The hyper-parameters.
        learning_rate: Adam's.
        helper: One thread on which the critic learns beside the actor; without it, after the actor.

    Raises:
        ValueError: An action is none of the policy's: a record is damaged.
    """

    def __init__(
        self,
        policy: PolicyState,
        samples: Samples,
        recipe: Recipe,
        learning_rate: float,
        helper: Executor | None = None,
    ) -> None:
        num_actions = policy.network.shape.num_actions
        if samples.action.max(initial=0) >= num_actions:  # an index, in the kernels
            raise ValueError(f"action {samples.action.max()} is none of the policy's {num_actions}")
        self._policy = policy
        self._samples = samples
        self._recipe = recipe
        self._helper = helper
        self._num_adam_steps = np.zeros(2, np.int64)
        self._settings = settings_of(recipe, learning_rate)
        bits = samples.inputs.bits
        self._inputs = np.flatnonzero(bits.any(axis=0) | self._has_moments())  # [I]
        bits = bits[:, self._inputs]
        self._networks = (self._new_mlp(0), self._new_mlp(1))
        starts = np.zeros(len(bits) + 1, np.int64)
        np.cumsum(np.count_nonzero(bits, axis=1), out=starts[1:])
        self._steps = Steps(
            starts,
            np.ascontiguousarray(np.nonzero(bits)[1]),
            self._masked(),
            samples.row,
            samples.action,
            samples.log_prob_behavior,
            samples.log_prob_old,
            samples.importance,
            samples.advantage,
            samples.target,
            np.zeros(len(bits), np.float32),
        )
        self._workspaces = [new_workspace(len(bits), len(samples), network.num_columns) for network in self._networks]

    def evaluate(self) -> npt.NDArray[np.float32]:
        """Write `log_prob_old` and `importance` of the samples; return the values of the inputs, `[U]` float32."""
        self._run_both((EVALUATE_ACTOR, EVALUATE_CRITIC), np.arange(len(self._samples)), 0)
        return self._steps.values

    def train(self, permutation: npt.NDArray[np.int64], num_minibatches: int) -> dict[str, float]:
        """Take one gradient step per minibatch.

        Args:
            permutation: `[N]` int64, all steps in the order of the minibatches.
            num_minibatches: Where they don't divide, the first ones have one step more.

        Returns:
            Means over the minibatches, by their names in `UpdateMetrics`.
        """
        means = self._run_both((TRAIN_ACTOR, TRAIN_CRITIC), permutation, num_minibatches)
        return dict(zip(METRICS, means.tolist(), strict=True))

    def not_finite(self) -> str | None:
        """Return what of the trained policy is not a number that is finite, if anything."""
        if not all(np.isfinite(network.weights).all() for network in self._networks):
            return "a weight"
        moments = (moment for network in self._networks for moment in (network.mean, network.mean_square))
        if not all(np.isfinite(moment).all() for moment in moments):
            return "a moment of Adam"
        return None

    def hand_over(self) -> None:
        """Make the policy's networks and Adam's state the trained ones."""
        states = []
        for (name, shape, parameter), network, num_steps in zip(
            self._parts(), self._networks, self._num_adam_steps.tolist(), strict=True
        ):
            flat = parameter.detach().numpy().copy()
            mlp.to_flat(shape, self._inputs, network.weights, flat)
            moments = np.zeros((2, len(flat)), np.float32)
            mlp.to_flat(shape, self._inputs, network.mean, moments[0])
            mlp.to_flat(shape, self._inputs, network.mean_square, moments[1])
            mean, mean_square = (torch.from_numpy(moment.copy()) for moment in moments)
            state = {"step": torch.tensor(float(num_steps)), "exp_avg": mean, "exp_avg_sq": mean_square}
            states.append((name, parameter, torch.from_numpy(flat), state))
        for name, parameter, weights, state in states:
            parameter.data = weights
            self._policy.adam[name] = state

    def _run_both(
        self, tasks: tuple[int, int], permutation: npt.NDArray[np.int64], num_minibatches: int
    ) -> npt.NDArray[np.float64]:
        """Have the kernel do the actor's task and the critic's, and return the metrics of both, `[5]`."""
        calls = [partial(self._run, which, task, permutation, num_minibatches) for which, task in enumerate(tasks)]
        if self._helper is None:
            return calls[0]() + calls[1]()
        of_critic = self._helper.submit(calls[1])
        try:
            of_actor = calls[0]()
        finally:
            wait([of_critic])  # however this ends, nobody works on the update any longer
        return of_actor + of_critic.result()

    def _run(
        self, which: int, task: int, permutation: npt.NDArray[np.int64], num_minibatches: int
    ) -> npt.NDArray[np.float64]:
        means = np.zeros(len(METRICS))
        run(
            task,
            self._networks[which],
            self._num_adam_steps[which : which + 1],
            self._steps,
            self._workspaces[which],
            permutation,
            num_minibatches,
            self._settings,
            means,
        )
        return means

    def _parts(self) -> list[tuple[str, MlpShape, Parameter]]:
        """Return name, shape and vector of actor and critic."""
        network = self._policy.network
        return [("actor", network.shape.actor, network.actor), ("critic", network.shape.critic, network.critic)]

    def _masked(self) -> npt.NDArray[np.bool_]:
        """Return which actions are useless at each input, `[U, A]`, or `[U, 0]`."""
        observation, mask = self._samples.inputs.observation, self._policy.network.shape.mask
        if mask is None:
            return np.zeros((len(observation), 0), np.bool_)
        masked: npt.NDArray[np.bool_] = useless(mask, torch.from_numpy(observation)).numpy()
        return masked

    def _has_moments(self) -> npt.NDArray[np.bool_]:
        """Return which inputs, `[K + 25]`, Adam has moments of."""
        has_moments = np.zeros(sum(self._policy.network.shape.actor.table[mlp.FIRST][1:]), np.bool_)
        for name, shape, _ in self._parts():
            state = self._policy.adam.get(name, {})
            for moment in ("exp_avg", "exp_avg_sq") if state else ():
                has_moments |= shape.views(state[moment].numpy())[mlp.FIRST].any(axis=0)
        return has_moments

    def _new_mlp(self, which: int) -> Mlp:
        name, shape, parameter = self._parts()[which]
        network = mlp.new_mlp(shape, len(self._inputs))
        mlp.from_flat(shape, self._inputs, parameter.detach().numpy(), network.weights)
        state = self._policy.adam.get(name, {})
        if state:
            mlp.from_flat(shape, self._inputs, state["exp_avg"].numpy(), network.mean)
            mlp.from_flat(shape, self._inputs, state["exp_avg_sq"].numpy(), network.mean_square)
            self._num_adam_steps[which] = int(state["step"])
        return network
