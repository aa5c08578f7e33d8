"""What is plotted of a run: scalars by name, the same wherever they are plotted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.types import UpdateResult, WorkflowFinished

if TYPE_CHECKING:
    from pipeline.types import Event


def scalars_of(event: Event) -> dict[str, float]:
    """Return the scalars of an update, or of a visit that ended; of all else none."""
    if isinstance(event, UpdateResult):
        return {
            "episode/env_reward": event.env_reward.mean,
            "episode/alignment_bonus": event.alignment_bonus,
            "episode/total_reward": event.total_reward,
            "episode/compliance": event.compliance,
            "episode/fixes": event.avg_fixes,
            "losses/policy": event.policy_loss,
            "losses/value": event.value_loss,
            "losses/entropy": event.entropy,
            "losses/approx_kl": event.approx_kl,
            "losses/clip_fraction": event.clip_fraction,
            "seconds/collection": event.collection_s,
            "seconds/update": event.update_s,
        }
    if isinstance(event, WorkflowFinished):
        return {
            "search/env_reward": event.result.score.env_reward.mean,
            "search/compliance": event.result.score.compliance,
        }
    return {}
