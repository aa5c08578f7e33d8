from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.cage2.blue.interface import Interface
from pipeline.policy.critic import Critic
from pipeline.policy.network import create, network_inputs
from pipeline.policy.params import PLAIN, PolicyShape


@pytest.mark.parametrize("shape", [PLAIN, PolicyShape.of(Interface(True, "merged"), (96, 32))])
def test_it_gives_what_torch_gives(shape: PolicyShape) -> None:
    rng = np.random.default_rng(1)
    network = create(rng, "orthogonal", shape)
    critic = Critic(network.critic.detach().numpy(), shape)
    rows = rng.integers(0, 2, (20, shape.observation_size), dtype=np.int8)
    for workflow_id in (0, 17, 119):
        theirs = network.values(network_inputs(rows, workflow_id, torch.device("cpu"))).detach().numpy()
        ours = [critic.value(row, workflow_id) for row in rows]
        np.testing.assert_allclose(ours, theirs, atol=2e-6)
        assert len(set(ours)) > 1


def test_what_does_not_fit_is_refused() -> None:
    critic = Critic(np.zeros(PLAIN.critic.num_values, np.float32), PLAIN)
    assert critic.value(np.zeros(52, np.int8), 0) == 0
    with pytest.raises(ValueError, match="52 bits and a workflow from 0 to 119"):
        critic.value(np.zeros(51, np.int8), 0)
    with pytest.raises(ValueError, match="52 bits and a workflow from 0 to 119"):
        critic.value(np.zeros(52, np.int8), 120)
    with pytest.raises(ValueError, match="this network has"):
        Critic(np.zeros(3, np.float32), PLAIN)
