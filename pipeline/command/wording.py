"""What people are told of a run beside its events: notes before it, a summary after it, the command that goes on."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.cage2.attackers.reference import is_reference
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.machine import num_cores
from pipeline.printable import printable
from pipeline.report.findings import Found, findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config import Config
    from pipeline.types import RunFinished, WorkflowFinished

_REASONS: Final = {
    "budget": "the episode budget is used",
    "exhausted": "every workflow has had its share",
    "stopped": "stopped on request",
}


def notes(config: Config) -> Iterator[str]:
    """Yield what the user should know: what of a valid configuration won't do what it seems to, or what takes long."""
    from pipeline.numerics.cache import why_not_kept  # with numba, which takes a second

    if reason := why_not_kept():
        yield reason
    if config.workflow or config.policy == "shared":
        unused = [
            f"--{name.replace('_', '-')}"
            for name in ("max_episodes_per_workflow", "patience", "warm_start")
            if name in config.model_fields_set
        ]
        if unused:
            with_what = "--workflow" if config.workflow else "--policy shared"
            yield f"with {with_what} the policy has all episodes: {', '.join(unused)} not used"
    if config.collector == "sequential":
        if "workers" in config.model_fields_set and config.workers > 1:
            yield "--collector sequential plays one episode after the other in this process: --workers is not used"
        return
    if config.workers > num_cores() and config.collector != "ray":
        yield f"{config.workers} workers on {num_cores()} cores: that works, but is no faster than {num_cores()}"
    if config.workers > config.max_episodes_in_flight:
        yield (
            f"at most {config.max_episodes_in_flight} of {config.workers} workers can be busy: "
            "raise --episodes-per-update to use them all"
        )


def headline(finished: RunFinished, *, had_ended: bool = False) -> str:
    """Return the first line of a run's summary.

    Args:
        finished: The run's end.
        had_ended: It was the run's end before, and nothing was played now.
    """
    updates = f"{finished.updates} update{'' if finished.updates == 1 else 's'}"
    if had_ended:
        return (
            f"this run had ended already ({_REASONS[finished.reason]}), with {finished.episodes} episodes and "
            f"{updates}; nothing was left to do"
        )
    return (
        f"done ({_REASONS[finished.reason]}): {finished.episodes} episodes, {updates}, "
        f"{finished.wall_s:.1f} s, {finished.episodes_per_s:.1f} episodes/s"
    )


def summary(finished: RunFinished, last_visit: WorkflowFinished | None, config: Config, run_dir: Path) -> Iterator[str]:
    """Yield the lines that follow it.

    Args:
        finished: The run's end.
        last_visit: The last one that ended, if any did.
        config: The run's.
        run_dir: Its folder.
    """
    if finished.best_workflow is None:
        yield _no_best(finished, config, last_visit)
    else:
        yield from findings(Found.of(finished))
    yield f"digest: {finished.digest}"
    yield f"record: {printable(str(run_dir))}"
    if finished.reason == "stopped":
        yield f"go on with: {printable(resume_command(run_dir, config))}"


def program() -> str:
    """Return what to type before a command."""
    installed = Path(sys.argv[0]).name == "cage2-pipeline"
    return "cage2-pipeline" if installed else f"python {shlex.quote(sys.argv[0])}"


def resume_command(run_dir: Path, config: Config) -> str:
    """Return what to type to go on with a run, in a shell, in the folder that this was started in."""
    is_code = any(map(is_reference, red_agents_of(config.red_agent)))
    code = f" --red-agent {shlex.quote(config.red_agent)}" if is_code else ""
    return f"{program()} resume {shlex.quote(str(run_dir))}{code}"


def _no_best(finished: RunFinished, config: Config, last_visit: WorkflowFinished | None) -> str:
    if finished.num_observed:
        return "best workflow: none yet, for the one that was learned is being trained from the beginning in the finals"
    threshold = f"the compliance threshold of {config.compliance_threshold:g}"
    text = f"best workflow: none, for no workflow has reached {threshold}"
    if last_visit is None:
        return text
    score, reason = last_visit.result.score, last_visit.result.reason
    more = {"cap": "--max-episodes-per-workflow", "patience": "--patience"}.get(reason, "--total-episodes")
    return (
        f"{text}. Last evaluated: {last_visit.workflow_order}, compliance {score.compliance:.2f}, env reward "
        f"{score.env_reward.mean:.1f} ± {score.env_reward.stderr:.1f}: give it more {more}"
    )
