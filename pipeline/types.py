"""What passes between the parts of the pipeline, and what a run reports: frozen, free of behaviour, cheap to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Part: TypeAlias = Literal["search", "finals"]
"""Of a run: orders are compared; then the most promising have heats, and the best is trained to the end."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and how far it can be trusted."""

    mean: float
    stderr: float
    """Standard error of the mean; 0 for a single episode."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run's folder exists and its processes are about to start."""

    run_dir: str
    resumed: bool


@dataclass(frozen=True, slots=True)
class Compiling:
    """Machine code is being made, once: later runs load it. Reported every second until it is there."""

    seconds: float
    """That it has taken so far."""
    expected_s: float
    """What it takes on two cores that have nothing else to do."""


@dataclass(frozen=True, slots=True)
class WorkersStarted:
    """The first worker is up; the others start as tasks need them."""

    seconds: float
    """It took: some tens of seconds where the engine was compiled first, which is kept for later runs."""


@dataclass(frozen=True, slots=True)
class FirstEpisode:
    """The first episode of this process has arrived."""

    seconds: float
    """Since the pipeline was entered."""


@dataclass(frozen=True, slots=True)
class WorkflowStarted:
    """The search picked a workflow, and its training begins or goes on."""

    iteration: int
    """Of the search, from 0."""
    workflow_id: int
    workflow_order: str
    """`op_server -> defender -> ...`."""
    ucb_score: float
    """`mean + beta * std`, in points; NaN while the search has no observation to go by."""
    resumed_policy: bool
    """The policy had been trained before."""
    part: Part


@dataclass(frozen=True, slots=True)
class EpisodesCollected:
    """How far the batch that is filling has come. Reported a few times a second at most, and never part of a result."""

    batch_index: int
    num_filled: int
    num_episodes: int


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """One PPO update: what its episodes were like, and what the update did."""

    update: int
    """Index among the workflow's own updates, from 0."""
    workflow_id: int
    workflow_order: str
    num_episodes: int
    """Episodes of this batch."""
    total_episodes: int
    """Episodes that the run has used, this batch included."""
    env_reward: Estimate
    """Return per episode, in points."""
    alignment_bonus: float
    """Mean per episode, in points."""
    total_reward: float
    """Their sum: what PPO is trained on."""
    compliance: float
    """Mean over the episodes, 0 to 1."""
    avg_fixes: float
    """Fix actions per episode."""
    collection_s: float
    """From asking for the batch, behind those asked for before, to its last filled slot."""
    update_s: float
    """Time on the learner's thread."""
    policy_loss: float
    value_loss: float
    entropy: float
    """Nats."""
    approx_kl: float
    """Nats; of the last epoch that ran."""
    clip_fraction: float
    num_epochs: int
    """Epochs that ran before the KL stop."""
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Score:
    """What a policy is worth, by fresh episodes; rewards in points."""

    num_evaluated: int
    """Episodes."""
    env_reward: Estimate
    """With sampled actions."""
    compliance: float
    greedy_env_reward: Estimate | None = None
    """Of as many episodes with the same seeds, in which each action was the policy's likeliest; if they were played."""
    greedy_compliance: float | None = None


VisitEnd: TypeAlias = Literal["threshold", "cap", "patience", "budget", "round", "final"]
"""Why a visit ended: its batches reached the compliance threshold; the workflow's episodes, its patience or the run's
episodes were used up; a round of the shared policy, or a finalist's training, was over."""


@dataclass(frozen=True, slots=True)
class WorkflowResult:
    """The end of one visit to a workflow: all that the search learns of it."""

    workflow_id: int
    score: Score
    num_episodes: int
    """Trained in this visit."""
    reached_threshold: bool
    """By the score's compliance. Only then does its `env_reward` enter the Gaussian process."""
    reason: VisitEnd


@dataclass(frozen=True, slots=True)
class WorkflowFinished:
    """A visit ended, and the search took note of it."""

    iteration: int
    workflow_order: str
    ucb_score: float
    part: Part
    result: WorkflowResult
    gp_updated: bool
    best_workflow: str | None
    """The order whose policy the run would name now."""
    best_score: Score | None


@dataclass(frozen=True, slots=True)
class OrdersEvaluated:
    """A policy for all orders was evaluated on each, by fresh episodes with sampled actions."""

    num_episodes: int
    """Per order."""
    env_reward: tuple[Estimate, ...]
    """By workflow id, 0 to 119, in points."""
    compliance: tuple[float, ...]
    """By workflow id, 0 to 1."""


@dataclass(frozen=True, slots=True)
class EpisodesLost:
    """Workers died, or episodes failed in them; these are played again with the same seeds and weights."""

    num_episodes: int
    """Episodes to be played again."""
    num_rebuilds: int
    """Times that workers died and were replaced, since this start."""


@dataclass(frozen=True, slots=True)
class CheckpointWritten:
    """All that `resume` needs is on disk."""

    path: str
    total_episodes: int


@dataclass(frozen=True, slots=True)
class TiedOrder:
    """An order that can't be told from the best."""

    workflow_order: str
    probability: float
    """That its true value is within a point of the highest one."""
    observed: bool
    """False: it was never trained to the threshold, and is believed to be as good by what was seen of others."""


@dataclass(frozen=True, slots=True)
class PairEffect:
    """What it is worth that one host type stands before another, all other pairs being as they are."""

    first: str
    second: str
    mean: float
    """In points, `>= 0`: named such that `first` before `second` is the better way round, as far as is known."""
    std: float
    """Of the posterior, in points."""
    matters: bool
    """The mean is more than two of these."""


@dataclass(frozen=True, slots=True)
class Settling:
    """What it would take to tell the best order's policy from those that may be as good.

    By how much another training of the same order would differ, a run can't tell: it trains each once.
    """

    num_orders: int
    """Orders that can't be told from the best, itself included."""
    episode_std: float | None
    """Standard deviation of one episode's return, in points; None if no evaluation told."""
    episodes_per_order: int | None
    """Further evaluation episodes for each of them; None if the episodes' spread is not known."""


RunEnd: TypeAlias = Literal["budget", "exhausted", "stopped"]


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run is over: its budget is used, every workflow is done, or it was stopped."""

    digest: str
    """SHA-256 over all policies' weights and the search's observations; depends on the configuration alone."""
    profile: str
    """Which state of the game was played."""
    reason: RunEnd
    """`exhausted`: no workflow is left to try."""
    episodes: int
    updates: int
    wall_s: float
    """Of this process; a resumed run counts anew."""
    episodes_per_s: float
    """Of this process."""
    num_observed: int
    """Orders whose policy reached the compliance threshold, of 120: all that is said of the others rests on them."""
    too_few_observed: bool
    """To say anything about ties and pairs."""
    best_workflow: str | None
    """The order whose policy the run names: the winner of the finals, or else the observed order with the highest
    posterior mean. None if there is no observed order, as all below."""
    best_score: Score | None
    """What its policy is worth, by its latest evaluation."""
    posterior_best: str | None
    """The observed order with the highest posterior mean, which what follows is about."""
    posterior_mean: float | None
    """What the search believes it is worth, in points, as trained in the search."""
    posterior_std: float | None
    """Of its true value, in points."""
    tied_with_best: tuple[TiedOrder, ...]
    """All orders that can't be told from that one, itself included, the likeliest first. With fewer than two observed
    there is nothing to compare: this and what follows is empty."""
    pairs: tuple[PairEffect, ...]
    """What each pair of host types is worth, the clearest first."""
    settling: Settling | None
    """What would tell the best from those tied with it."""


Event: TypeAlias = (
    RunStarted
    | Compiling
    | WorkersStarted
    | FirstEpisode
    | WorkflowStarted
    | EpisodesCollected
    | UpdateResult
    | WorkflowFinished
    | OrdersEvaluated
    | EpisodesLost
    | CheckpointWritten
    | RunFinished
)
