"""The form of an update that torch differentiates, for a GPU: the networks run on a minibatch's distinct inputs.

    batch -> pinned memory -> device -> minibatch's distinct rows -> log-probabilities, values, gathered by index

A step's log-probability and value are gathered from the row of its input, and a row's entropy counts as often as the
row occurs: loss and gradient are those of the plain computation, rounding aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.policy.network import network_inputs
from pipeline.ppo import losses

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from pipeline.policy.store import PolicyState
    from pipeline.ppo.recipe import Recipe
    from pipeline.ppo.samples import Samples


class AutogradUpdate:
    """One update of one policy, on any device.

    Args:
        policy: Left alone until `hand_over`.
        samples: What was played; what is not known yet is written by `evaluate`.
        recipe: The hyper-parameters.
        learning_rate: Adam's.
        device: Where to compute.
    """

    def __init__(
        self, policy: PolicyState, samples: Samples, recipe: Recipe, learning_rate: float, device: torch.device
    ) -> None:
        self._policy = policy
        self._samples = samples
        self._recipe = recipe
        self._device = device
        self._network = policy.network.copy_to(device)
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=learning_rate, betas=recipe.adam_betas, eps=recipe.adam_eps
        )
        for name, parameter in self._network.named_parameters():
            self._optimizer.state[parameter] = {
                # Adam counts its steps on the CPU, wherever it steps
                moment: value.to("cpu" if moment == "step" else device, copy=True)
                for moment, value in policy.adam.get(name, {}).items()
            }
        self._inputs = network_inputs(samples.inputs.observation, samples.inputs.workflow_id, device)  # [U, K + 25]
        self._action = self._staged(samples.action.astype(np.int64))
        self._log_prob_old = self._importance = self._advantage = self._target = torch.empty(0)

    def evaluate(self) -> npt.NDArray[np.float32]:
        """Write `log_prob_old` and `importance` of the samples; return the values of the inputs, `[U]` float32."""
        network, samples = self._network, self._samples
        with torch.no_grad():
            self._log_prob_old = network.log_probs(self._inputs)[self._staged(samples.row), self._action]  # [N]
            log_importance = self._log_prob_old - self._staged(samples.log_prob_behavior)
            self._importance = log_importance.exp().clamp(max=self._recipe.max_importance)  # [N]
            values: npt.NDArray[np.float32] = network.values(self._inputs).cpu().numpy()
        samples.log_prob_old[:] = self._log_prob_old.cpu().numpy()
        samples.importance[:] = self._importance.cpu().numpy()
        return values

    def train(self, permutation: npt.NDArray[np.int64], num_minibatches: int) -> dict[str, float]:
        """Take one gradient step per minibatch.

        Args:
            permutation: `[N]` int64, all steps in the order of the minibatches.
            num_minibatches: Where they don't divide, the first ones have one step more.

        Returns:
            Means over the minibatches, by their names in `UpdateMetrics`.
        """
        if not len(self._advantage):
            self._advantage = self._staged(self._samples.advantage)
            self._target = self._staged(self._samples.target)
        network, optimizer = self._network, self._optimizer
        watched = []
        for steps in np.array_split(permutation, num_minibatches):
            loss, terms = self.loss(steps)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation for it
            for parameter in network.parameters():
                # each on its own: they share nothing, and the critic's errors must not shorten the actor's step
                torch.nn.utils.clip_grad_norm_(parameter, self._recipe.max_grad_norm)
            optimizer.step()
            watched.append(torch.stack(list(terms.values())))
        means = torch.stack(watched).mean(dim=0).tolist()
        return dict(zip(terms, means, strict=True))

    def loss(self, steps: npt.NDArray[np.int64]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of a minibatch and, without gradients, its terms by their names in `UpdateMetrics`."""
        network, recipe = self._network, self._recipe
        rows, index, counts = self.distinct(steps)
        inputs = self._inputs[self._staged(rows)]  # [u, K + 25]
        weights = self._staged((counts / len(steps)).astype(np.float32))  # [u]
        of_step = self._staged(index)  # [n]
        chosen = self._staged(steps)  # [n]

        log_probs = network.log_probs(inputs)  # [u, A]
        log_ratio = log_probs[of_step, self._action[chosen]] - self._log_prob_old[chosen]  # [n]
        policy_loss = losses.clipped_policy_loss(
            log_ratio, self._advantage[chosen], self._importance[chosen], recipe.clip_coef
        )
        value_loss = losses.value_loss(network.values(inputs)[of_step], self._target[chosen])
        entropy = (weights * losses.entropy(log_probs)).sum()
        loss = policy_loss + recipe.vf_coef * value_loss - recipe.ent_coef * entropy

        log_ratio = log_ratio.detach()
        return loss, {
            "policy_loss": policy_loss.detach(),
            "value_loss": value_loss.detach(),
            "entropy": entropy.detach(),
            "approx_kl": losses.approx_kl(log_ratio),
            "clip_fraction": losses.clip_fraction(log_ratio, recipe.clip_coef),
        }

    def distinct(
        self, steps: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the inputs that steps saw, `[u]`, which of them each saw, `[n]`, and how many saw each, `[u]`."""
        return np.unique(self._samples.row[steps], return_inverse=True, return_counts=True)

    def not_finite(self) -> str | None:
        """Return what of the trained policy is not a number that is finite, if anything."""
        moments = (moment for state in self._optimizer.state.values() for moment in state.values())
        for what, tensors in (("a weight", self._network.parameters()), ("a moment of Adam", moments)):
            if not all(bool(tensor.isfinite().all()) for tensor in tensors):
                return what
        return None

    def hand_over(self) -> None:
        """Make the policy's networks and Adam's state the trained ones."""
        self._policy.network = self._network.copy_to("cpu")
        self._policy.adam = {
            name: {moment: value.to("cpu", copy=True) for moment, value in self._optimizer.state[parameter].items()}
            for name, parameter in self._network.named_parameters()
        }

    def _staged(self, values: npt.NDArray[np.generic]) -> Tensor:
        """Return an array on the device; a GPU fetches it from pinned memory while this thread goes on."""
        tensor = torch.from_numpy(values)
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)
