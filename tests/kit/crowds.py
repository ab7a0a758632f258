"""Trials of every kind that train as one pack, in whole or in part.

Offers: :func:`crowd`, the trials; :func:`parts`, slices of them; :data:`WORKLOADS` and
:func:`sized`, what they train on; :func:`digest`, a hash of what some packs come to, for other
processes to repeat.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING

from kit import examples
from kit.examples import OPTIMIZERS, task, trained, trial
from trainscape import workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.workloads import Workload

WIDTHS = (1, 2, 3, 5, 17, 33)
LOST = 16  # the trial that diverges

WORKLOADS: dict[str, Callable[[], Workload]] = {
    "digits-mlp": lambda: workloads.registry.get("digits-mlp"),
    "digits-cnn": lambda: workloads.registry.get("digits-cnn"),
    "odd": lambda: examples.named(examples.odd),
    "silu": lambda: examples.named(examples.silu),
    "dropout": lambda: examples.named(examples.dropout),
    "batch-norm": examples.batch_norm,
}

# examples in the training split, and how many a step takes of them
SIZES = {"one": (6, 1), "two": (8, 2), "partial": (29, 16), "full": (40, 40)}


def crowd() -> list[Trial]:
    """33 trials of every optimizer, of many rates and three seeds; one of them diverges."""
    trials = [trial(OPTIMIZERS[i % len(OPTIMIZERS)], 0.001 * (1 + i), i % 3) for i in range(33)]
    trials[LOST] = trial("sgd", 1e30, 1)
    return trials


def parts() -> list[slice]:
    """Slices of a crowd of 33, of every width, at its start, in its middle, or at its end."""
    places = {1: (0, 16, 32), 2: (0,), 3: (15,), 5: (28,), 17: (0, 8, 16)}
    return [slice(start, start + width) for width in places for start in places[width]]


def sized(workload: Workload, size: str, side: int = 8) -> Task:
    """Four steps at least, with evaluations between them."""
    examples_, batch = SIZES[size]
    arrays = examples.images(examples_ + 2, side)
    steps = max(4, -(-examples_ // batch) + 1)
    return task(
        workload, arrays, batch, {"steps": steps}, validation=2 / (examples_ + 2), every=0.5
    )


@cache
def digest() -> str:
    """The sha256 of a few packs' results, and a check that packs of 1, 3 and 9 agree."""
    found = []
    for name in ("digits-mlp", "odd", "dropout"):
        of, trials = sized(WORKLOADS[name](), "partial"), crowd()[12:21]
        together = trained(trials, of)
        assert trained(trials[:1], of) == together[:1]
        assert trained(trials[3:6], of) == together[3:6]
        found.append([asdict(t) for t in together])
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()
