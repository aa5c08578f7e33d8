from __future__ import annotations

import pickle

from pipeline.cage2.attackers.errors import AttackerError, AttackerNotFoundError, told


def test_workers_tell_of_attackers_the_message_and_of_all_else_the_traceback() -> None:
    assert told(AttackerError("it failed")) == "it failed"
    assert told(AttackerNotFoundError("not there")) == "not there"
    assert told(ValueError("ours")).endswith("ValueError: ours\n")


def test_they_travel() -> None:
    for error in (AttackerError("it failed"), AttackerNotFoundError("not there")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - written here
