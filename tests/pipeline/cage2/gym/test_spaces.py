from __future__ import annotations

import pickle

import numpy as np
import pytest
from gymnasium import error

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.gym.spaces import InvalidActionError, action_space, observation_space


@pytest.mark.parametrize("interface", [Interface(), Interface(True), Interface(True, "merged")])
def test_spaces_are_an_interface_s(interface: Interface) -> None:
    observations = observation_space(interface)
    assert (observations.shape, observations.dtype) == ((interface.observation_size,), np.float32)
    assert action_space(interface).n == interface.num_actions  # type: ignore[attr-defined] # a Discrete


def test_an_action_that_there_is_not() -> None:
    caught = InvalidActionError(31, 31)
    assert isinstance(caught, error.InvalidAction)
    assert isinstance(caught, ValueError)
    sent = pickle.loads(pickle.dumps(caught))  # noqa: S301 - our own
    assert str(sent) == "action 31 is not one of Blue's: give an int from 0 to 30"
