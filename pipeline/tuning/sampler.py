"""Which values a trial has: Optuna's sampler, as a function of the trials before it.

Nothing of Optuna's is kept between two trials, in memory or on disk: each is asked of a sampler of its own, with a seed
of its own, that is told all earlier trials. So it makes no difference whether there was an interruption in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipeline import extras
from pipeline.seeding import Stream, generator
from pipeline.tuning.space import SPACE, Range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

NUM_RANDOM: Final = 10
"""Trials that have ended before anything is concluded from them."""


@dataclass(frozen=True, slots=True)
class Told:
    """A trial as the sampler is told of it."""

    values: Mapping[str, Any]
    worth: float | None
    """The higher the better; None while it is under way."""
    num_seeds: int | None
    """After which it was given up; None if it wasn't."""


def require_sampler() -> None:
    """Check that Optuna is installed.

    Raises:
        NotInstalledError: It isn't.
    """
    extras.require("tune", "optuna")


def ask(names: Sequence[str], told: Sequence[Told], seed: int, number: int) -> dict[str, Any]:
    """Return the values of a trial.

    By a tree-structured Parzen estimator (Bergstra et al., 2011) over all values together (Falkner et al., 2018, of
    whose method nothing else is used); trials that are under way count as bad ones, so that those asked for together
    keep away from one another.

    Args:
        names: Of `SPACE`.
        told: The trials before; one with a value outside of `SPACE` is passed over.
        seed: The search's.
        number: The trial's.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {name: _distribution(name) for name in names}
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=NUM_RANDOM,
        multivariate=True,
        constant_liar=True,
        seed=int(generator(seed, Stream.TUNING, number).integers(2**32)),
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in told:
        params = {name: SPACE[name].coordinate(trial.values[name]) for name in names}
        if all(SPACE[name].holds(coordinate) for name, coordinate in params.items()):
            study.add_trial(_as_optunas(trial, params, space))
    asked = study.ask(space)
    return {name: SPACE[name].value(asked.params[name]) for name in names}


def _distribution(name: str) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values = SPACE[name]
    if not isinstance(values, Range):
        return CategoricalDistribution([values.coordinate(value) for value in values.values])
    if values.is_whole:
        return IntDistribution(int(values.low), int(values.high), log=True)
    return FloatDistribution(values.low, values.high, log=True)


def _as_optunas(trial: Told, params: dict[str, Any], space: dict[str, BaseDistribution]) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    if trial.worth is None:
        return create_trial(state=TrialState.RUNNING, params=params, distributions=space)
    if trial.num_seeds is None:
        return create_trial(value=trial.worth, params=params, distributions=space)
    return create_trial(
        state=TrialState.PRUNED,
        params=params,
        distributions=space,
        intermediate_values={trial.num_seeds: trial.worth},
    )
