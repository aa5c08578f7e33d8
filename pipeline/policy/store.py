"""Every workflow's own policy: made when it is first asked for, kept for the run, saved as tensors.

Policies rest on the CPU. An update trains a copy, wherever it computes, and the policy adopts it when it is
done: a policy is therefore always that of a whole number of updates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor

from pipeline import seeding
from pipeline.cage2.facts.names import require
from pipeline.cage2.facts.orders import KENDALL
from pipeline.errors import SetupError
from pipeline.policy import network
from pipeline.policy.network import ActorCritic
from pipeline.policy.params import SHARED_POLICY, Initialisation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pipeline.policy.params import PolicyShape


class IncompatiblePolicyError(SetupError):
    """Saved tensors are not those of a policy of this shape or version."""

    def __init__(
        self, workflow_id: int, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
    ) -> None:
        super().__init__(
            f"workflow {workflow_id}: a policy is saved as float32 tensors {dict(expected)}, but these are "
            f"{dict(found)}. The checkpoint is one of other --observation-memory or --actions, or of another version: "
            "resume with what wrote it"
        )


@dataclass(slots=True)
class PolicyState:
    """A workflow's policy, and all that training it further needs. Tensors are replaced by an update, never changed."""

    workflow_id: int
    network: ActorCritic
    adam: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    """Adam's state of `actor` and of `critic`, as torch has it: `step`, `exp_avg`, `exp_avg_sq`. Empty before the first
    update."""
    num_updates: int = 0
    num_episodes: int = 0
    """Episodes that its updates learned from."""

    def copy(self) -> PolicyState:
        """Return a copy that shares no memory with this one."""
        copied = PolicyState(
            self.workflow_id, self.network.copy_to("cpu"), num_updates=self.num_updates, num_episodes=self.num_episodes
        )
        for name, moments in self.adam.items():
            copied.adam[name] = {moment: value.clone() for moment, value in moments.items()}
        return copied


class PolicyStore:
    """The policies of one run.

    Args:
        run_seed: The run's seed; each workflow's fresh weights follow from it and the workflow alone.
        initialisation: How fresh weights are drawn.
        shape: The sizes of every policy.
        initial: What takes the place of fresh weights, if anything: `actor` and `critic` by workflow, of which the
            nearest order's are taken, or by `SHARED_POLICY` alone.

    Raises:
        UnknownNameError: Fresh weights can't be drawn so.
    """

    def __init__(
        self,
        run_seed: int,
        initialisation: Initialisation,
        shape: PolicyShape,
        initial: Mapping[int, Mapping[str, Tensor]] = MappingProxyType({}),
    ) -> None:
        require("initialisation", initialisation, get_args(Initialisation))
        self._run_seed = run_seed
        self._initialisation = initialisation
        self._shape = shape
        self._initial = initial
        self._policies: dict[int, PolicyState] = {}

    def get_or_create(self, workflow_id: int, warm_start: bool, in_training: Collection[int] = ()) -> PolicyState:
        """Return a workflow's policy; the same object at every call.

        Args:
            workflow_id: 0 to 119, or `SHARED_POLICY`.
            warm_start: Begin a new policy with the weights of the nearest trained order (by Kendall's tau; of
                equally near ones the lowest id) instead of fresh ones. Adam starts afresh either way.
            in_training: Orders from which it doesn't begin: how far they are depends on the timing.
        """
        policy = self._policies.get(workflow_id)
        if policy is None:
            trained = self.trained_ids() if warm_start and workflow_id != SHARED_POLICY else ()
            trained = tuple(other for other in trained if other not in in_training)
            if trained:
                network = self._policies[_nearest(workflow_id, trained)].network
                policy = PolicyState(workflow_id, network.copy_to("cpu"))
            else:
                policy = self._fresh(workflow_id)
            self._policies[workflow_id] = policy
        return policy

    def renew(self, workflow_id: int) -> PolicyState:
        """Return a workflow's policy with the weights of a fresh one, and Adam afresh; its two counts go on.

        Raises:
            KeyError: The workflow has no policy.
        """
        before, policy = self._policies[workflow_id], self._fresh(workflow_id)
        policy.num_updates, policy.num_episodes = before.num_updates, before.num_episodes
        self._policies[workflow_id] = policy
        return policy

    def ids(self) -> tuple[int, ...]:
        """Return the workflows that have a policy, ascending."""
        return tuple(sorted(self._policies))

    def trained_ids(self) -> tuple[int, ...]:
        """Return the workflows whose policy has had an update, ascending."""
        return tuple(i for i in self.ids() if self._policies[i].num_updates > 0)

    def tensors(self, workflow_id: int) -> dict[str, Tensor]:
        """Return a policy's weights and its optimizer's state as they are now, as named tensors on the CPU.

        Returns:
            `actor` and `critic`, float32 and flat, and once there has been an update Adam's state of each, as
            in `adam.actor.exp_avg`. The policy's two counts are not among them. They are the policy's own tensors,
            which the next update replaces and leaves as they are.

        Raises:
            KeyError: The workflow has no policy.
        """
        policy = self._policies[workflow_id]
        tensors = {name: parameter.detach() for name, parameter in policy.network.named_parameters()}
        for name, moments in policy.adam.items():
            tensors |= {f"adam.{name}.{moment}": value for moment, value in moments.items()}
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
        for name, shape in (("actor", self._shape.actor), ("critic", self._shape.critic)):
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
            ActorCritic(tensors["actor"].clone(), tensors["critic"].clone(), self._shape),
            num_updates=num_updates,
            num_episodes=num_episodes,
        )
        if num_updates > 0:
            for name in ("actor", "critic"):
                policy.adam[name] = {
                    moment: tensors[f"adam.{name}.{moment}"].clone() for moment in ("step", "exp_avg", "exp_avg_sq")
                }
        self._policies[workflow_id] = policy
        return policy

    def _fresh(self, workflow_id: int) -> PolicyState:
        if self._initial:
            shared = SHARED_POLICY in self._initial
            tensors = self._initial[SHARED_POLICY if shared else _nearest(workflow_id, self._initial)]
            actor, critic = tensors["actor"].clone(), tensors["critic"].clone()
            return PolicyState(workflow_id, ActorCritic(actor, critic, self._shape))
        generator = seeding.generator(self._run_seed, seeding.Stream.POLICY_INIT, workflow_id)
        return PolicyState(workflow_id, network.create(generator, self._initialisation, self._shape))


def _nearest(workflow_id: int, others: Iterable[int]) -> int:
    """Return the nearest of some orders by Kendall's tau; of equally near ones the lowest id."""
    return min(others, key=lambda other: (KENDALL[workflow_id, other], other))
