"""A run's policy as an agent in this process: `load_agent`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.facts.order_names import parse_order
from pipeline.evaluate.trained import load_trained
from pipeline.export.defender import Defender
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy.typing as npt

    from pipeline.evaluate.trained import Trained


class TrainedAgent(Defender):
    """A run's policy, played by the machine code that evaluates it.

    Args:
        trained: The policy.
        num_steps: See `Defender`, as the rest.
        greedy: Take the likeliest action, else draw one.
        seed: Of what is drawn.

    Attributes:
        trained: The policy, where it comes from, and the run's configuration.
    """

    def __init__(self, trained: Trained, num_steps: int | None = None, *, greedy: bool = True, seed: int = 0) -> None:
        interface = Interface.of(trained.config)
        actor = Actor(trained.weights, PolicyShape.of(interface, trained.config.hidden_sizes))
        self.trained = trained

        def probabilities(seen: Sequence[int]) -> list[float]:
            log_probs, _ = actor.distribution(np.array(seen, np.int8), trained.workflow_id)
            values: list[float] = np.exp(log_probs.astype(np.float64)).tolist()
            return values

        super().__init__(
            probabilities,
            _Remembered(interface),
            trained.config.episode_steps,
            num_steps,
            greedy=greedy,
            seed=seed,
        )


class _Remembered:
    """The project's `Memory` as a `Defender` asks for it."""

    def __init__(self, interface: Interface) -> None:
        self._memory = Memory(interface)
        self._row: npt.NDArray[np.int8] = np.zeros(interface.observation_size, np.int8)

    def begin(self, num_steps: int, table: Sequence[int]) -> list[int]:
        self._memory.begin(num_steps, np.array(table, np.int8), self._row)
        return self._seen()

    def see(self, table: Sequence[int]) -> list[int]:
        self._memory.see(np.array(table, np.int8), self._row)
        return self._seen()

    def act(self, choice: int) -> int:
        return self._memory.act(choice)

    def _seen(self) -> list[int]:
        seen: list[int] = self._row.tolist()
        return seen


def load_agent(
    run: str | os.PathLike[str],
    *,
    workflow: str | None = None,
    num_steps: int | None = None,
    greedy: bool = True,
    seed: int = 0,
) -> TrainedAgent:
    """Return a trained policy that plays: by `begin` and `act`, or as CybORG's own agents do.

    Args:
        run: The run's folder, or its checkpoint. It may still be training.
        workflow: The order whose policy it is to be, "user -> defender -> ..."; by default the run's best.
        num_steps: Steps of an episode that nobody began with `begin`, for who knows better than `Defender`.
        greedy: Take the likeliest action, of equally likely ones the first; else draw one.
        seed: Of what is drawn.

    Raises:
        SetupError: There is no such run or policy, or its checkpoint is damaged.
        UnknownOrderError: `workflow` is no order.
    """
    workflow_id = None if workflow is None else parse_order(workflow)
    return TrainedAgent(load_trained(Path(run), workflow_id), num_steps, greedy=greedy, seed=seed)
