from __future__ import annotations

import resource

import pytest

from pipeline.workers.limits import OPEN_FILES_BESIDE, OPEN_FILES_PER_WORKER, TooFewOpenFilesError, require_open_files


def test_few_open_files_are_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
        require_open_files(10)
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert raised == OPEN_FILES_PER_WORKER * 10 + OPEN_FILES_BESIDE
        require_open_files(2)  # never lowered
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 128))
    with pytest.raises(TooFewOpenFilesError, match=r"10 workers need 296 open files, and the limit is 128: `ulimit -n"):
        require_open_files(10)
