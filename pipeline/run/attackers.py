"""Red agents of one's own in a run: loaded once before anything is written, and noted in its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.attackers.reference import is_reference, load_attacker, require_same, source_digests
from pipeline.cage2.cyborg.env import load_cyborg
from pipeline.cage2.cyborg.red_side import load_red
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.persist.runs import RunFolderError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config import Config


def with_attackers(config: Config) -> Config:
    """Return a run's configuration with the digests of its attackers' sources, whose files are run for a first time.

    Raises:
        AttackerNotFoundError: There is no such attacker, or it isn't the one that the configuration has a digest of.
    """
    names = red_agents_of(config.red_agent)
    for name in filter(is_reference, names):
        if config.engine == "fast":
            load_attacker(name)
        else:
            load_cyborg(config.cyborg)
            load_red(name)
    digests = source_digests(names)
    require_same(config.red_sha256, names)
    return config.model_copy(update={"red_sha256": digests})


def require_told(run_dir: Path, config: Config, red_agent: str | None) -> None:
    """Check that who resumes a run names its attackers, if they are code: its folder may be somebody else's.

    Args:
        run_dir: The run's folder.
        config: The run.
        red_agent: What is told; None for nothing.

    Raises:
        RunFolderError: They are code and not named, or the run has others.
    """
    if red_agent not in (None, config.red_agent):
        raise RunFolderError(f"{run_dir} is trained against {config.red_agent}: that can't change, start another run")
    if red_agent is None and any(map(is_reference, red_agents_of(config.red_agent))):
        raise RunFolderError(
            f"{run_dir} is trained against {config.red_agent}, which is code, and not run by a folder's word: "
            f"give --red-agent {config.red_agent}"
        )
