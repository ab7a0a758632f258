"""The searches by name: each is one of Optuna's samplers, with Optuna's defaults."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.study import Study

    from trainscape.search.space import Space


def _random(seed: int) -> BaseSampler:
    """Every axis by itself, uniformly."""
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


def _qmc(seed: int) -> BaseSampler:
    """Scrambled Sobol points: spread more evenly than random ones."""
    from optuna.samplers import QMCSampler

    return QMCSampler(scramble=True, seed=seed, warn_independent_sampling=False)


def _tpe(seed: int) -> BaseSampler:
    """Tree-structured Parzen estimator (Bergstra et al., 2011): where good cells are dense.

    A cell that is still to be trained counts as a bad one (constant liar), which keeps the
    proposals of a round apart.
    """
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, constant_liar=True)


def _gp(seed: int) -> BaseSampler:
    """Gaussian process, expected improvement given what the round already holds (q-logEI)."""
    import torch
    from optuna.samplers import GPSampler

    torch.set_num_threads(1)  # matrices are tiny: a second thread makes it ten times slower
    return GPSampler(seed=seed, warn_independent_sampling=False)


def _evolution(seed: int) -> BaseSampler:
    """CMA-ES with margin (Hamano et al., 2022), for the ordered axes; the others are random."""
    from optuna.samplers import CmaEsSampler

    return CmaEsSampler(seed=seed, with_margin=True, warn_independent_sampling=False)


METHODS: dict[str, Callable[[int], BaseSampler]] = {
    "random": _random,
    "qmc": _qmc,
    "tpe": _tpe,
    "gp": _gp,
    "evolution": _evolution,
}


def study(method: str, direction: str, seed: int) -> Study:
    """An empty Optuna study that proposes by ``method``, without its chatter.

    Args:
        method: a key of METHODS.
        direction: of the metric, ``max`` or ``min``.
        seed: of the sampler.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = METHODS[method](seed)
    return optuna.create_study(
        direction="maximize" if direction == "max" else "minimize", sampler=sampler
    )


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The axes as Optuna knows them; one with a single value is still an axis."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    names: dict[str, Any] = {"optimizer": space.optimizers, "schedule": space.schedules}
    ordered = {"batch_size": len(space.batch_sizes), "lr": space.places}
    return {
        **{name: CategoricalDistribution(choices) for name, choices in names.items()},
        **{name: IntDistribution(0, count - 1) for name, count in ordered.items()},
    }
