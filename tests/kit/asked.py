"""A small study that is made up, and the question that is asked of it.

Offers: :data:`SMALL` and :func:`study`, its cells as :func:`cells`, :func:`finalists` on
:data:`FRESH` seeds; :func:`equal` and :func:`flat`, cells whose values are known; :func:`asked`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kit import synthetic
from trainscape import analysis, answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.analysis import Entry

AXES = {"optimizer": [], "batch_size": [16, 64], "lr": [], "schedule": []}
SMALL: dict[str, Any] = {
    "optimizers": ("sgd", "adam"),
    "batch_sizes": (16, 64),
    "lrs": (0.003, 0.01, 0.03, 0.1, 0.3),
    "schedules": ("cosine",),
    "seeds": range(5),
}
FRESH = range(1000, 1010)


def study(**changes: Any) -> list[Entry]:
    """A small study, made up."""
    return synthetic.study(**{**SMALL, **changes})


def cells(entries: Sequence[Entry]) -> analysis.Cells:
    """Its cells."""
    targets = {entry.cell.workload: 0.95 for entry in entries}
    return analysis.Cells.of(analysis.trials(entries, targets), validation=287, test=360)


def finalists(entries: Sequence[Entry], count: int = 4) -> list[Entry]:
    """The most promising cells on fresh seeds."""
    chosen = analysis.finalists_of(cells(entries), count)
    names = [analysis.key(cells(entries).rows[i]) for i in chosen]
    fresh = study(seeds=FRESH)
    return [entry for entry in fresh if analysis.key(analysis.axes(entry.cell)) in names]


def equal(**changes: Any) -> list[Entry]:
    """Three optimizers with the same values: at each rate in both batch sizes and schedules."""
    return [
        synthetic.entry(
            synthetic.cell(optimizer=name, batch_size=batch, lr=lr, schedule=s, seeds=range(5)),
            [synthetic.trial(seed, [top + 0.01 * (seed % 2)]) for seed in range(5)],
            [100],
        )
        for name in ("sgd", "momentum", "adam")
        for batch in (16, 64)
        for lr, top in changes.get("tops", {0.01: 0.9, 0.03: 0.95, 0.1: 0.95, 0.3: 0.8}).items()
        for s in ("constant", "cosine")
    ]


def flat(
    name: str, tops: dict[float, float], batch: int = 64, schedule: str = "constant"
) -> list[Entry]:
    """Cells of an optimizer whose five seeds differ by a thousandth."""
    return [
        synthetic.entry(
            synthetic.cell(
                optimizer=name, batch_size=batch, lr=lr, schedule=schedule, seeds=range(5)
            ),
            [synthetic.trial(seed, [top + 0.001 * (seed % 2)]) for seed in range(5)],
            [100],
        )
        for lr, top in tops.items()
    ]


def asked(entries: Sequence[Entry], final: Sequence[Entry] | None = None, **changes: Any) -> Any:
    """The question of a study, with finalists or without."""
    about = answers.Asked(
        grid=cells(entries),
        final=None if final is None else cells(final),
        examples={},
        margin=0.005,
        confirm=None if final is None else {"cells": 4, "seeds": len(FRESH)},
        cells=[entry.cell for entry in entries],
        study=[entry.cell for entry in entries],
        axes=AXES,
        whole=True,
        validated=True,
    )
    return replace(about, **changes)
