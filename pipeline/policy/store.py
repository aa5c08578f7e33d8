"""Every workflow's own policy: made when it is first asked for, kept for the run, saved as tensors.

Policies rest on the CPU. An update trains a copy, wherever it computes, and the policy adopts it when it is
done: a policy is therefore always that of a whole number of updates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipeline import seeding
from pipeline.errors import SetupError
from pipeline.policy import network
from pipeline.policy.network import ActorCritic, Initialisation
from pipeline.policy.params import ACTOR, CRITIC, PLAIN
from pipeline.workflows.orders import KENDALL

if TYPE_CHECKING:
    from collections.abc import Mapping


class IncompatiblePolicyError(SetupError):
    """Saved tensors are not those of a policy of this version."""

    def __init__(
        self, workflow_id: int, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
    ) -> None:
        super().__init__(
            f"workflow {workflow_id}: a policy is saved as float32 tensors {dict(expected)}, but these are "
            f"{dict(found)}. The checkpoint is not this version's: resume with the one that wrote it"
        )


@dataclass(slots=True)
class PolicyState:
    """A workflow's policy, and all that training it further needs."""

    workflow_id: int
    network: ActorCritic
    optimizer: torch.optim.Adam = field(init=False)
    """Over `[actor, critic]`. Its hyper-parameters are set by each update, from the recipe."""
    num_updates: int = 0
    num_episodes: int = 0
    """Episodes that its updates learned from."""

    def __post_init__(self) -> None:
        self.optimizer = _optimizer(self.network)

    def copy_to(self, device: torch.device) -> PolicyState:
        """Return a copy on a device that shares no memory with this one."""
        actor, critic = (p.detach().to(device, copy=True) for p in self.network.parameters())
        copied = PolicyState(
            self.workflow_id,
            ActorCritic(actor, critic, self.network.shape),
            num_updates=self.num_updates,
            num_episodes=self.num_episodes,
        )
        for ours, theirs in zip(self.network.parameters(), copied.network.parameters(), strict=True):
            copied.optimizer.state[theirs] = {
                # Adam counts its steps on the CPU, wherever it steps
                moment: value.to("cpu" if moment == "step" else device, copy=True)
                for moment, value in self.optimizer.state.get(ours, {}).items()
            }
        return copied

    def adopt(self, trained: PolicyState) -> None:
        """Become a trained copy, which must not be used any more."""
        resting = trained.copy_to(self.network.actor.device)
        self.network, self.optimizer = resting.network, resting.optimizer
        self.num_updates, self.num_episodes = resting.num_updates, resting.num_episodes


class PolicyStore:
    """The policies of one run.

    Args:
        run_seed: The run's seed; each workflow's fresh weights follow from it and the workflow alone.
        initialisation: How fresh weights are drawn.
    """

    def __init__(self, run_seed: int, initialisation: Initialisation) -> None:
        self._run_seed = run_seed
        self._initialisation = initialisation
        self._policies: dict[int, PolicyState] = {}

    def get_or_create(self, workflow_id: int, warm_start: bool) -> PolicyState:
        """Return a workflow's policy; the same object at every call.

        Args:
            workflow_id: 0 to 119.
            warm_start: Begin a new policy with the weights of the nearest trained order (by Kendall's tau; of
                equally near ones the lowest id) instead of fresh ones. Adam starts afresh either way.
        """
        policy = self._policies.get(workflow_id)
        if policy is None:
            trained = self.trained_ids() if warm_start else ()
            if trained:
                nearest = min(trained, key=lambda other: (KENDALL[workflow_id, other], other))
                actor, critic = (p.detach().clone() for p in self._policies[nearest].network.parameters())
                policy = PolicyState(workflow_id, ActorCritic(actor, critic, self._policies[nearest].network.shape))
            else:
                policy = self._fresh(workflow_id)
            self._policies[workflow_id] = policy
        return policy

    def ids(self) -> tuple[int, ...]:
        """Return the workflows that have a policy, ascending."""
        return tuple(sorted(self._policies))

    def trained_ids(self) -> tuple[int, ...]:
        """Return the workflows whose policy has had an update, ascending."""
        return tuple(i for i in self.ids() if self._policies[i].num_updates > 0)

    def tensors(self, workflow_id: int) -> dict[str, Tensor]:
        """Return copies of a policy's weights and of its optimizer's state, as named tensors on the CPU.

        Returns:
            `actor` and `critic`, float32 and flat, and once there has been an update Adam's state of each, as
            in `adam.actor.exp_avg`. The policy's two counts are not among them.

        Raises:
            KeyError: The workflow has no policy.
        """
        policy = self._policies[workflow_id]
        tensors = {}
        for name, parameter in policy.network.named_parameters():
            tensors[name] = parameter.detach().clone()
            for moment, value in policy.optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{name}.{moment}"] = value.clone()
        return tensors

    def load(self, workflow_id: int, tensors: Mapping[str, Tensor], num_updates: int, num_episodes: int) -> PolicyState:
        """Set a workflow's policy to a saved one; training goes on as if it had never stopped.

        Args:
            workflow_id: 0 to 119.
            tensors: From `tensors`; copied.
            num_updates: As the policy had it.
            num_episodes: As the policy had it.

        Raises:
            IncompatiblePolicyError: A tensor is missing, or has another shape or dtype.
        """
        expected: dict[str, tuple[int, ...]] = {}
        for name, shape in (("actor", ACTOR), ("critic", CRITIC)):
            size = (shape.num_values,)
            expected[name] = size
            if num_updates > 0:
                expected |= {
                    f"adam.{name}.step": (),
                    f"adam.{name}.exp_avg": size,
                    f"adam.{name}.exp_avg_sq": size,
                }
        found = {name: tuple(tensor.shape) for name, tensor in tensors.items() if tensor.dtype == torch.float32}
        if found != expected:
            raise IncompatiblePolicyError(workflow_id, expected, found)

        policy = PolicyState(
            workflow_id,
            ActorCritic(tensors["actor"].clone(), tensors["critic"].clone(), PLAIN),
            num_updates=num_updates,
            num_episodes=num_episodes,
        )
        if num_updates > 0:
            for name, parameter in policy.network.named_parameters():
                policy.optimizer.state[parameter] = {
                    moment: tensors[f"adam.{name}.{moment}"].clone() for moment in ("step", "exp_avg", "exp_avg_sq")
                }
        self._policies[workflow_id] = policy
        return policy

    def _fresh(self, workflow_id: int) -> PolicyState:
        seed = seeding.seed(self._run_seed, seeding.Stream.POLICY_INIT, workflow_id)
        return PolicyState(workflow_id, network.create(seed, self._initialisation))


def _optimizer(network: ActorCritic) -> torch.optim.Adam:
    return torch.optim.Adam([network.actor, network.critic])
