"""The one configuration of a run: frozen, typed, validated when it is made. The command line is generated from it."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator, model_validator

from pipeline.cage2.facts import names
from pipeline.cage2.facts.names import Actions, Compromised, UnknownRedAgentError
from pipeline.cage2.facts.order_names import order_name, parse_order
from pipeline.cage2.facts.spec import EPISODE_STEPS, MAX_EPISODE_STEPS, RED_AGENTS
from pipeline.cage2.mixed_env import MIXED, Mixed, red_agents_of
from pipeline.hyperparameters import Hyperparameters
from pipeline.machine import num_cores
from pipeline.marks import Effect, Topic
from pipeline.policy.params import HIDDEN_SIZES, HIDDEN_STEP, MAX_HIDDEN_SIZE
from pipeline.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

HiddenSize = Annotated[int, Field(ge=HIDDEN_STEP, le=MAX_HIDDEN_SIZE, multiple_of=HIDDEN_STEP)]
RedAgent = Literal[names.RedAgent, Mixed]
MAX_EVALUATION_EPISODES = 8_000
"""Per order and evaluation: what their seeds have room for, with all 120 orders."""
MAX_EPISODES_PER_TASK = {"fast": 64, "cyborg": 4}
"""What `episodes_per_task` grows to by itself: enough to hide the executor's round trip behind the episodes."""


MAX_VISIT_EPISODES = 2_000
NUM_VISITS = 15
"""What `episodes_per_visit` comes to by itself: so many visits, of so many episodes at most."""
MAX_CONCURRENT_VISITS = 4
"""What `concurrent_visits` comes to by itself, where the search has `MAX_VISIT_EPISODES` for each."""
AS_PROTOTYPE: Final[Mapping[str, Any]] = {"observation_memory": False, "actions": "all", "finals_share": 0.0}
"""What `recipe = prototype` sets, unless it is set otherwise."""
RAY_ADDRESS = r"^(local|auto|([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})$"
"""What `ray_address` looks like; an IPv6 address stands in brackets."""


class Config(Table):
    """A run, complete. Results depend on these values alone, and not at all on those that an `Effect` marks."""

    workers: Annotated[int, Field(ge=1, le=1000), Effect.SPEED, Topic.WHERE] = Field(default_factory=num_cores)
    """Worker processes that play episodes, 1 to 1000; by default as many as there are cores, or a container grants."""
    collector: Annotated[Literal["sequential", "synchronous", "executor", "ray"], Effect.SPEED, Topic.WHERE] = (
        "executor"
    )
    """How episodes are collected: one by one in this process; by workers that step together; by workers that each play
    whole episodes, here or on the machines of a Ray cluster."""
    transport: Annotated[Literal["shm", "pickle"], Effect.SPEED, Topic.WHERE] = "shm"
    """How the executor's episodes travel: through shared memory, or pickled."""
    ray_address: Annotated[str, Field(pattern=RAY_ADDRESS), Effect.SPEED, Topic.WHERE] = "local"
    """Which Ray cluster: `local` starts one for this run, `auto` takes the one that runs on this machine, HOST:PORT
    another (its head)."""
    total_episodes: Annotated[int, Field(ge=1), Topic.SEARCHED] = 100_000
    """Episodes of the whole run, over all workflows."""
    episodes_per_update: Annotated[int, Field(ge=1, le=100_000), Topic.LEARNED] = 64
    """Episodes that each PPO update learns from."""
    earlier_budgets: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """The budgets that a run had before, each used up when the next one was given: what `resume` writes down."""
    episodes_per_visit: Annotated[Annotated[int, Field(ge=1)] | None, Topic.SEARCHED] = None
    """Episodes that a workflow is trained for when the search visits it, so that workflows are compared on equal terms;
    the learning rate anneals over them. It goes on for longer only while it hasn't reached the threshold. By default a
    fifteenth of the search's episodes, up to 2,000."""
    concurrent_visits: Annotated[Annotated[int, Field(ge=1, le=120)] | None, Topic.SEARCHED] = None
    """Workflows that are trained at a time, finalists too, if each has a policy of its own. Results depend on it: the
    next one is picked without what is under way. By default 4, or as many as the search has 2,000 episodes for."""
    max_episodes_per_workflow: Annotated[int, Field(ge=1), Topic.SEARCHED] = 10_000
    """Episodes that one workflow may use in the search, over all its visits."""
    red_agent: Annotated[str, Topic.ATTACKED] = "B_lineAgent"
    """Who attacks: B_lineAgent, RedMeanderAgent, SleepAgent, or your own, module:Name or path/to/file.py:Name (code,
    which is run). Several with commas between have an equal share of the episodes each; `Mixed` is B_lineAgent and
    RedMeanderAgent."""
    red_sha256: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(default_factory=dict)
    """Of the sources of Red agents of one's own, by their names: what a run writes down as it starts. Given before,
    others are refused."""
    alignment_lambda: Annotated[float, Field(ge=0, allow_inf_nan=False), Topic.LEARNED] = 30.0
    """Points that full compliance is worth per episode."""
    compliance_threshold: Annotated[float, Field(ge=0, le=1), Topic.SEARCHED] = 0.95
    """Mean compliance of fresh episodes at which a workflow counts as learned, 0 to 1."""
    patience: Annotated[int, Field(ge=1), Topic.SEARCHED] = 100
    """Updates without a better mean total reward after which a workflow is given up."""
    episode_steps: Annotated[int, Field(ge=1, le=MAX_EPISODE_STEPS), Topic.ATTACKED] = EPISODE_STEPS
    """Steps of an episode, 1 to 1000; CAGE-2 evaluates 30, 50 and 100."""
    compromised: Annotated[Compromised, Topic.ATTACKED] = Compromised.FIXABLE
    """Which Red sessions make a host type compromised: `sessions` counts all, `fixable` leaves out User0's foothold."""
    engine: Annotated[names.Engine, Effect.SPEED, Topic.WHERE] = "fast"
    """What plays the game: the project's own simulator or CybORG. Results are the same, to the bit."""
    profile: Annotated[names.Profile, Topic.ATTACKED] = "head"
    """Which state of the game: as CybORG plays it today, or as on the contest's final day (fast engine only)."""
    cyborg: Annotated[names.Package, Topic.ATTACKED] = "csle"
    """Which CybORG: the `csle-cyborg` package, or cage-challenge-2's own `CybORG` where that is installed."""
    observation_memory: Annotated[bool, Topic.LEARNED] = True
    """Let the policy also see what Blue may remember: hosts scanned, suspected or left to Red, decoys, time. Off by
    default with `recipe = prototype`."""
    actions: Annotated[Actions, Topic.LEARNED] = "merged"
    """What the policy chooses from: CybORG's 145 actions (`all`, the default with `recipe = prototype`), or those that
    are worth taking, with one decoy action per host that places its next one; with a memory only those that achieve
    something now."""
    hidden_sizes: Annotated[tuple[HiddenSize, HiddenSize], Topic.LEARNED] = HIDDEN_SIZES
    """Units of the two hidden layers of actor and critic, each a multiple of 32 up to 1024, as in `128,64`."""
    recipe: Annotated[Literal["default", "thorough", "prototype"], Topic.LEARNED] = "default"
    """PPO's hyper-parameters: for few episodes; for one policy and tens of thousands; or those of the research
    prototype, for comparison, with the form of its policies and without finals."""
    ppo: Annotated[Hyperparameters, Topic.LEARNED] = Hyperparameters()
    """Those of them that the run sets itself."""
    policy: Annotated[Literal["per-workflow", "shared"], Topic.LEARNED] = "per-workflow"
    """A policy for each workflow, some of which are trained, or one that is told which workflow to follow and is
    trained on all."""
    workflow: Annotated[str | None, Topic.SEARCHED] = None
    """Train this workflow alone, with all episodes: the five host types, highest priority first, `->` in between."""
    finals_share: Annotated[float, Field(ge=0, lt=1), Topic.SEARCHED] = 0.7
    """Share of the episodes that go to the finals: after the search half of them goes to heats between the most
    promising workflows, and the other half to the best, which is trained to the end. 0: the search is all."""
    finalists: Annotated[int, Field(ge=1, le=120), Topic.SEARCHED] = 4
    """Workflows in the finals at most, with an equal share of the heats' episodes each; fewer if fewer of those that
    were learned may be the best."""
    evaluation_episodes: Annotated[int, Field(ge=2, le=MAX_EVALUATION_EPISODES), Topic.SEARCHED] = 200
    """Fresh episodes, per order, by which a trained policy is evaluated; they are not among `total_episodes`."""
    init_from: Annotated[Path | None, Topic.LEARNED] = None
    """Start from the trained policies of another run, given by its folder, instead of afresh: each from that run's of
    the same order, or of the nearest, or from its shared one. Red, profile and recipe may be others."""
    init_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of the policies that the run started from: what `init_from` writes down. Given before, others are refused."""
    warm_start: Annotated[bool, Topic.SEARCHED] = False
    """Start a new workflow's policy from the nearest trained order instead of afresh."""
    policy_lag: Annotated[int, Field(ge=0, le=8), Topic.LEARNED] = 1
    """Updates by which the policy that collects trails the one that learns: 0 waits, 1 overlaps the two."""
    gp_beta: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False), Topic.SEARCHED] = 2.0
    """Standard deviations that GP-UCB adds to the mean: how much it explores."""
    seed: Annotated[int, Field(ge=0, lt=2**63), Topic.LEARNED] = 0
    """Where every random number of the run comes from."""
    learner_threads: Annotated[Annotated[int, Field(ge=1, le=1024)] | None, Effect.SPEED, Topic.WHERE] = None
    """PPO updates that are computed at a time, by default as many as there are cores; with half as many visits an
    update's actor and critic have a thread each."""
    device: Annotated[Literal["auto", "cpu", "cuda"], Topic.WHERE] = "auto"
    """Where the learner computes; `auto` is the CPU, since no GPU was measured to be faster with networks so small.
    Devices round differently: a run stays on the one that it was begun on."""
    episodes_per_task: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, Effect.SPEED, Topic.WHERE] = None
    """Episodes that a worker plays per call; by default up to 64 (CybORG: 4) while all stay busy; always one where
    workers step together."""
    slots: Annotated[Annotated[int, Field(ge=1, le=100_000)] | None, Effect.SPEED, Topic.WHERE] = None
    """Slots of the episode ring, at least one per worker; by default two tasks per worker, or one episode each where
    workers step together."""
    checkpoint_interval_s: Annotated[float, Field(ge=0, allow_inf_nan=False), Effect.RECORD, Topic.KEPT] = 30.0
    """Seconds between checkpoints; one is also written whenever the run ends."""
    log_dir: Annotated[Path, Effect.RECORD, Topic.KEPT] = Path("logs")
    """Folder under which each run gets a folder of its own."""
    run_name: Annotated[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")] | None, Effect.RECORD, Topic.KEPT
    ] = None
    """Name of the run's folder: letters, digits, dot, dash, underscore; by default time, Red agent and seed."""
    tensorboard: Annotated[bool, Effect.RECORD, Topic.KEPT] = False
    """Also write TensorBoard files (needs the `tensorboard` extra)."""
    wandb: Annotated[bool, Effect.RECORD, Topic.KEPT] = False
    """Also send curves to Weights & Biases, or keep them for `wandb sync` where nobody is logged in (needs the `wandb`
    extra)."""
    mlflow: Annotated[bool, Effect.RECORD, Topic.KEPT] = False
    """Also send curves to the MLflow server that MLFLOW_TRACKING_URI names, or keep them in the run's folder (needs the
    `mlflow` extra)."""
    debug: Annotated[bool, Effect.RECORD, Topic.KEPT] = False
    """Poison shared memory that is not written yet, and check that no episode leaves any; slower."""

    @model_validator(mode="before")
    @classmethod
    def _as_the_prototype(cls, values: Any) -> Any:
        """Let the prototype's recipe come with its form of policy, and no finals, where nothing else is asked for."""
        is_prototype = isinstance(values, dict) and values.get("recipe") == "prototype"
        return {**AS_PROTOTYPE, **values} if is_prototype else values

    @field_validator("red_agent")
    @classmethod
    def _red_agents(cls, text: str) -> str:
        """Check the names, and write several as they are told apart."""
        try:
            return text if text == MIXED else ",".join(red_agents_of(text))
        except UnknownRedAgentError:
            msg = (
                f"must be {', '.join(RED_AGENTS)} or {MIXED}, or your own, module:Name or path/to/file.py:Name; "
                "or several with commas between, each once"
            )
            raise ValueError(msg) from None

    @field_validator("hidden_sizes", mode="wrap")
    @classmethod
    def _two_sizes(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        """Take what a command line writes, and say of anything else what is possible."""
        try:
            return check(value.split(",") if isinstance(value, str) else value)
        except ValidationError:
            sizes = f"{HIDDEN_STEP}, {2 * HIDDEN_STEP}, {3 * HIDDEN_STEP} and so on to {MAX_HIDDEN_SIZE}"
            msg = f"must be two of {sizes}, as in 128,64"
            raise ValueError(msg) from None

    @field_validator("workflow")
    @classmethod
    def _order(cls, text: str | None) -> str | None:
        """Write it as `order_name` does."""
        return None if text is None else order_name(parse_order(text))

    @field_validator("device")
    @classmethod
    def _device_chosen(cls, device: str) -> str:
        """Choose once: a run that is resumed elsewhere is not to choose anew."""
        return "cpu" if device == "auto" else device

    @field_validator("log_dir", "init_from")
    @classmethod
    def _path_of_text(cls, path: Path | None) -> Path | None:
        """Refuse what could neither be made (NUL) nor written into JSON and onto the terminal."""
        if path is None:
            return None
        try:
            is_text = b"\0" not in str(path).encode()
        except UnicodeEncodeError:
            is_text = False
        if not is_text:
            msg = "must be a path in UTF-8, without NUL"
            raise ValueError(msg)
        try:
            return path.expanduser()
        except RuntimeError:
            msg = "names a user's home that can't be found: write the path in full"
            raise ValueError(msg) from None

    @model_validator(mode="after")
    def _budgets_grow(self) -> Self:
        budgets = [*self.earlier_budgets, self.total_episodes]
        if any(earlier >= later for earlier, later in pairwise(budgets)):
            msg = f"each budget of a run is larger than the one before, not {budgets}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.profile != "head" and self.engine == "cyborg":
            msg = f"profile: CybORG plays the game of today only; {self.profile} needs --engine fast"
            raise ValueError(msg)
        if self.transport != "shm" and self.collector != "executor":
            msg = "--transport pickle is for --collector executor: choose that, or leave the transport out"
            raise ValueError(msg)
        if self.ray_address != "local" and self.collector != "ray":
            msg = "--ray-address is for --collector ray: choose that, or leave the address out"
            raise ValueError(msg)
        if self.workflow is not None and self.policy == "shared":
            msg = "--policy shared is trained on all workflows: leave --workflow out, or train it alone without it"
            raise ValueError(msg)
        if self.init_sha256 is not None and self.init_from is None:
            msg = "init_sha256 is of the policies that --init-from names: give that as well, or leave both out"
            raise ValueError(msg)
        if self.slots is not None and self.slots < self.num_players:
            msg = (
                f"{self.slots} slots can't keep {self.workers} workers busy: give at least {self.workers}, "
                "or leave --slots out"
            )
            raise ValueError(msg)
        if self.slots is not None and self.slots < self.task_size:
            msg = (
                f"a task of {self.task_size} episodes needs as many slots, not {self.slots}: "
                "raise --slots, or leave it out"
            )
            raise ValueError(msg)
        return self

    @property
    def episode_cap(self) -> int:
        """Episodes that one policy may use; the learning rate anneals over them."""
        if self.workflow is not None or self.policy == "shared":
            return self.total_episodes
        return self.max_episodes_per_workflow

    @property
    def visit_episodes(self) -> int:
        """Episodes of a visit: as configured, or enough visits for a search to compare."""
        if self.episodes_per_visit is not None:
            return self.episodes_per_visit
        num_visits = self.num_places * math.ceil(NUM_VISITS / self.num_places)
        share = math.ceil((self.total_episodes - self.finals_episodes) / num_visits)
        return min(MAX_VISIT_EPISODES, max(1, share))

    @property
    def num_places(self) -> int:
        """Policies that may be in training at a time."""
        if self.workflow is not None or self.policy == "shared":
            return 1
        if self.concurrent_visits is not None:
            return self.concurrent_visits
        enough_for = (self.total_episodes - self.finals_episodes) // MAX_VISIT_EPISODES
        return min(MAX_CONCURRENT_VISITS, max(1, enough_for))

    @property
    def num_learner_threads(self) -> int:
        """Threads that compute updates: as configured, or one per core; more than visits at a time help critics."""
        return self.learner_threads or num_cores()

    @property
    def finals_episodes(self) -> int:
        """Episodes that are left to the finals."""
        return round(self.finals_share * self.total_episodes)

    @property
    def max_episodes_in_flight(self) -> int:
        """Episodes that may be asked for at the same time: `policy_lag + 1` updates' worth of each visit."""
        return min(self.num_places * self.episodes_per_update * (self.policy_lag + 1), self.total_episodes)

    @property
    def num_players(self) -> int:
        """Environments that there are: one per worker, and one in all where there are none."""
        return 1 if self.collector == "sequential" else self.workers

    @property
    def task_size(self) -> int:
        """Episodes per task: as configured, or as many as leave every worker two tasks to choose from.

        Workers that step together have one task between them, an episode for each.
        """
        if self.collector == "synchronous":
            return self.workers
        if self.episodes_per_task is not None:
            return self.episodes_per_task
        fair_share = self.max_episodes_in_flight // (2 * self.num_players)
        size = max(1, min(MAX_EPISODES_PER_TASK[self.engine], fair_share))
        return size if self.slots is None else min(size, self.slots // self.num_players)

    @property
    def slabs_per_place(self) -> int:
        """Weight versions kept of one visit: of `policy_lag + 1` updates, one being written, one for a straggler."""
        return self.policy_lag + 3

    @property
    def num_slabs(self) -> int:
        """Weight versions kept of all visits at a time."""
        return self.num_places * self.slabs_per_place

    @property
    def num_slots(self) -> int:
        """Slots of the ring: as configured, or two tasks per worker, so that none waits for the parent."""
        if self.slots is not None:
            return self.slots
        return self.workers if self.collector == "synchronous" else 2 * self.num_players * self.task_size
