from __future__ import annotations

import pytest

from pipeline.workers.start import StartFailure, build_or_keep_why


def test_what_was_built_is_returned() -> None:
    assert build_or_keep_why(lambda: [1, 2]) == [1, 2]


def test_why_nothing_was_built_is_kept() -> None:
    def build() -> int:
        raise OSError("no such game")

    failure = build_or_keep_why(build)
    assert isinstance(failure, StartFailure)
    assert failure.reason.startswith("Traceback")
    assert failure.reason.endswith("OSError: no such game\n")


def test_who_is_to_end_ends() -> None:
    with pytest.raises(SystemExit):
        build_or_keep_why(exit)
