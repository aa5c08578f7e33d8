"""Which of a run's policies is evaluated, and how it comes out of the run's checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.order_names import order_name
from pipeline.cage2.facts.orders import KENDALL
from pipeline.errors import SetupError
from pipeline.persist.latest import find_run, latest_of, reading_again
from pipeline.persist.manifest import CheckpointError
from pipeline.persist.runs import read_config
from pipeline.policy.forward import Actor
from pipeline.policy.params import SHARED_POLICY, PolicyShape
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from pipeline.config import Config
    from pipeline.persist.latest import Latest
    from pipeline.persist.manifest import PolicyFile
    from pipeline.play.play_out import Policy
    from pipeline.types import Score


class NoPolicyError(SetupError):
    """A run has no policy to evaluate, or not the one that was asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A policy of a run."""

    run_dir: Path
    config: Config
    """The run's."""
    workflow_id: int
    """The order that it follows, 0 to 119."""
    reason: str
    """Why it is this one, in a few words."""
    num_updates: int
    num_episodes: int
    """That it was trained with."""
    weights: npt.NDArray[np.float32]
    """The actor's, flat."""
    critic: npt.NDArray[np.float32]
    """Its critic's, flat."""

    @property
    def shape(self) -> PolicyShape:
        """The policy's sizes."""
        return _shape(self.config)

    def policy(self, *, greedy: bool = False) -> Policy:
        """Return it as an agent for `play_out.play_out`."""
        from pipeline.play.play_out import Policy  # which `run.py evaluate` needn't wait for

        config = self.config
        interface = Interface.of(config)
        actor = Actor(self.weights, self.shape)
        return Policy(actor, interface, self.workflow_id, greedy, config.episode_steps)


def load_trained(path: Path, workflow_id: int | None) -> Trained:
    """Return a policy of a run, which may still be training.

    Args:
        path: The run's folder, or its checkpoint.
        workflow_id: Which order's, or None for the best.

    Raises:
        RunFolderError: There is no run.
        CheckpointError: Its checkpoint is damaged.
        NoPolicyError: It has no policy yet, or none of this order.
    """
    run_dir = find_run(path)
    return reading_again(run_dir, lambda: _load(run_dir, workflow_id))


def _load(run_dir: Path, workflow_id: int | None) -> Trained:
    config = read_config(run_dir)
    latest = latest_of(run_dir)
    if latest is None or not latest.policies:
        raise NoPolicyError(f"{run_dir} has no checkpoint yet: go on with it (resume {run_dir}) until it has made one")
    policy, order, reason = _choose(run_dir, latest, workflow_id)
    weights, critic = latest.weights(policy, _shape(config))
    return Trained(
        run_dir=run_dir,
        config=config,
        workflow_id=order,
        reason=reason,
        num_updates=policy.num_updates,
        num_episodes=policy.num_episodes,
        weights=weights,
        critic=critic,
    )


def _shape(config: Config) -> PolicyShape:
    return PolicyShape.of(Interface.of(config), config.hidden_sizes)


def _choose(run_dir: Path, latest: Latest, workflow_id: int | None) -> tuple[PolicyFile, int, str]:
    """Return a policy, the order that it is to follow, and why it is this one."""
    policies = {policy.workflow_id: policy for policy in latest.policies}
    shared = policies.get(SHARED_POLICY)
    if workflow_id is not None:
        if shared is None and workflow_id not in policies:
            nearest = min(policies, key=lambda other: (KENDALL[workflow_id, other], other))
            raise NoPolicyError(
                f"{run_dir} has no policy for {order_name(workflow_id)!r}, but for {len(policies)} of the 120 orders; "
                f"the nearest is {order_name(nearest)!r}"
            )
        return shared or policies[workflow_id], workflow_id, "as asked for"
    best = _best(run_dir, latest)
    if best is not None and (shared is not None or best[0] in policies):
        order, score = best
        reason = (
            f"the run's best: sampled, its last evaluation there gave {score.env_reward.mean:.1f} "
            f"± {score.env_reward.stderr:.1f}"
        )
        return shared or policies[order], order, reason
    missing = "those that reached the compliance threshold are in training again"
    if not latest.search.get("observations"):
        missing = "none has reached the compliance threshold"
    if shared is not None:
        return shared, 0, f"the first of all; {missing}"
    longest = max(policies.values(), key=lambda policy: (policy.num_episodes, -policy.workflow_id))
    which = "the one that was trained longest" if len(policies) > 1 else "the only one"
    return longest, longest.workflow_id, f"{which}; {missing}"


def _best(run_dir: Path, latest: Latest) -> tuple[int, Score] | None:
    try:
        return Search.from_state(latest.search).best(latest.in_training)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        msg = f"{run_dir} holds a search that can't be ({error!r}): evaluate with the version that wrote it"
        raise CheckpointError(msg) from error
