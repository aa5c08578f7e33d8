"""What the system lets a process have, seen to before its workers are started."""

from __future__ import annotations

from pipeline.errors import SetupError

OPEN_FILES_PER_WORKER = 4
OPEN_FILES_BESIDE = 256


class TooFewOpenFilesError(SetupError):
    """The system lets this process open fewer files than its workers need."""

    def __init__(self, num_workers: int, num_needed: int, limit: int) -> None:
        super().__init__(
            f"{num_workers} workers need {num_needed} open files, and the limit is {limit}: `ulimit -n {num_needed}`, "
            "or fewer --workers"
        )


def require_open_files(num_workers: int) -> None:
    """See that this process may open the files that its workers' processes need; raise its own limit if it may.

    Raises:
        TooFewOpenFilesError: It may not.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    num_needed = OPEN_FILES_PER_WORKER * num_workers + OPEN_FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < num_needed:
        if hard != resource.RLIM_INFINITY and hard < num_needed:
            raise TooFewOpenFilesError(num_workers, num_needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (num_needed, hard))
