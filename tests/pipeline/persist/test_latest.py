from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.persist.latest import Latest, latest_of, reading_again
from pipeline.persist.manifest import CheckpointError
from pipeline.policy.params import PLAIN, PolicyShape
from pipeline.policy.store import PolicyStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import MakeRun

SIZE = PLAIN.actor.num_values
OTHER = PolicyShape(num_actions=7)


def latest(run_dir: Path) -> Latest:
    found = latest_of(run_dir)
    assert found is not None
    return found


def test_what_is_in_a_checkpoint(make_run: MakeRun) -> None:
    found = latest(make_run({3: 900, 17: 100}, best=17))
    assert [(policy.workflow_id, policy.num_episodes) for policy in found.policies] == [(3, 900), (17, 100)]
    assert found.in_training == ()
    assert [each["workflow_id"] for each in found.search["observations"]] == [17]
    store = PolicyStore(0, "uniform", PolicyShape())
    for policy in found.policies:
        expected = store.get_or_create(policy.workflow_id, warm_start=False).network.actor_weights()
        np.testing.assert_array_equal(found.weights(policy, PLAIN)[0], expected)


def test_no_checkpoint_yet(make_run: MakeRun) -> None:
    run = make_run({3: 900})
    (run / "checkpoint" / "manifest.json").unlink()
    assert latest_of(run) is None


def test_an_actor_of_another_shape_is_refused(make_run: MakeRun) -> None:
    found = latest(make_run({3: 900}))
    with pytest.raises(
        CheckpointError, match=rf"has an actor of \({SIZE},\) float32, and .* have {OTHER.actor.num_values} float32"
    ):
        found.weights(found.policies[0], OTHER)


def test_damage_is_named(make_run: MakeRun) -> None:
    run = make_run({3: 900})
    found = latest(run)
    path = run / "checkpoint" / found.policies[0].file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="was altered or damaged"):
        found.weights(found.policies[0], PLAIN)
    path.unlink()
    with pytest.raises(CheckpointError, match="the checkpoint lacks"):
        found.weights(found.policies[0], PLAIN)


def test_a_checkpoint_that_is_replaced_meanwhile_is_read_again(make_run: MakeRun) -> None:
    run = make_run({3: 900})
    manifest = run / "checkpoint" / "manifest.json"
    tries = []

    def read() -> int:
        tries.append(latest(run))
        if len(tries) == 1:  # what another process does that trains on
            content = manifest.read_bytes()
            manifest.unlink()
            manifest.write_bytes(content)
        raise CheckpointError

    with pytest.raises(CheckpointError):
        reading_again(run, read)
    assert len(tries) == 2


def test_reading_needs_no_torch(make_run: MakeRun) -> None:
    run = make_run({3: 900, 17: 100}, best=17)
    code = (
        "import sys; from pathlib import Path; from pipeline.evaluate.trained import load_trained; "
        f"print(load_trained(Path({str(run)!r}), None).workflow_id, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "17 False\n"
