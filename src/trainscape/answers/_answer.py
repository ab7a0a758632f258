"""All that is claimed of one workload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainscape.analysis import axes, best_of_optimizers, edge, key
from trainscape.answers._against import against
from trainscape.answers._choice import choice, described, member_of, members, rate_range
from trainscape.answers._failures import failures
from trainscape.answers._forgiving import most_forgiving
from trainscape.answers._laid import laid
from trainscape.answers._next import Next, fresh_seeds_needed
from trainscape.answers._optimizers import optimizers
from trainscape.answers._rates import over_rates
from trainscape.answers._untuned import untuned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from trainscape.analysis import Cells, Row
    from trainscape.answers._laid import Laid
    from trainscape.answers._next import Suggestion
    from trainscape.cells.cell import Cell

    Floats = NDArray[np.float64]

DEFAULT = {"cells": 20, "seeds": 20}  # of confirm, where it is advised


@dataclass(frozen=True)
class Asked:
    """What an answer is made from.

    Args:
        grid: the cells that were trained, on the seeds that cells are selected by.
        final: the finalists on fresh seeds; None if the study has none.
        examples: by digest, each test example's metric, its mean over seeds; of finalists.
        margin: what makes no difference in practice, in the metric's unit.
        confirm: the study's ``confirm``; None for none.
        cells: the grid's cells as they are trained; where a search trained a part, that part.
        study: those of all workloads.
        axes: the study's ``grid``, as its file has it.
        whole: whether all cells of the grid were trained.
        validated: whether there is a validation split.
        scaling: rows on how the best rate follows the batch size.
        rates: the best rate at each batch size, which these rest on.
        critical: rows on how steps to the target fall with the batch size.
        steps: the steps at each batch size, which these rest on.
        noise: rows on the noise of gradients, of finalists.
        importance: rows on what matters.
    """

    grid: Cells
    final: Cells | None
    examples: Mapping[str, Floats]
    margin: float
    confirm: Mapping[str, int] | None
    cells: Sequence[Cell]
    study: Sequence[Cell]
    axes: Mapping[str, Any]
    whole: bool
    validated: bool
    scaling: Sequence[Row] = field(default_factory=list)
    rates: Sequence[Row] = field(default_factory=list)
    critical: Sequence[Row] = field(default_factory=list)
    steps: Sequence[Row] = field(default_factory=list)
    noise: Sequence[Row] = field(default_factory=list)
    importance: Sequence[Row] = field(default_factory=list)


def answer(asked: Asked) -> dict[str, Any]:
    """All that is claimed of a workload, as plain data for JSON: null for what is not known.

    Where finalists were trained on fresh seeds, all claims on accuracy rest on those alone.
    """
    judged, final = asked.grid.judged, asked.final
    confirmed = final is not None and len(final) > 0
    compared = final if final is not None and confirmed else asked.grid
    found = {
        "metric": {"name": judged.name, "unit": judged.unit, "direction": judged.direction},
        "margin": asked.margin,
        "validated": asked.validated,
        "confirmed": confirmed,
        "cells": len(compared),
        "seeds": compared.seeds,
        "grid": {"cells": len(asked.grid), "seeds": asked.grid.seeds, "whole": asked.whole},
        "examples": {"validation": asked.grid.validation, "test": asked.grid.test},
        "failures": failures(asked.grid),
        "chosen": None,
        "tied": [],
        "finalists": [],
        "lr_range": [],
        "optimizers": [],
        "against": {},
        "sensitivity": [],
        "untuned": [],
        "most_forgiving": None,
        "scaling": list(asked.scaling),
        "rates": list(asked.rates),
        "critical": list(asked.critical),
        "steps": list(asked.steps),
        "noise": list(asked.noise),
        "importance": list(asked.importance),
        "next": [],
    }
    if not asked.validated:
        return found
    grid = laid(asked.grid)
    if asked.whole:  # a search trains what it likes: no axis is whole
        found |= {
            "sensitivity": over_rates(grid, asked.margin),
            "untuned": untuned(asked.grid, grid),
        }
    return {**found, **_chosen(asked, grid, compared, confirmed)}


def _chosen(
    asked: Asked, by_optimizer: Mapping[str, Laid], final: Cells, confirmed: bool
) -> dict[str, Any]:
    """The setting to take and what it is compared with; nothing where no cell ended well."""
    grid, margin = asked.grid, asked.margin
    near = member_of(grid)
    tied, picked = choice(grid, near, final, margin)
    if picked is None:
        return {}
    place, first = final.rows[picked.index], final.rows[picked.first]
    bests = best_of_optimizers(final)
    apart = against(final, bests, margin)
    reference, whole = place["optimizer"], asked.whole
    rows = optimizers(
        by_optimizer, final, bests, apart, reference, margin, asked.examples, whole=whole
    )
    return {
        "chosen": {
            **described(final, picked.index, asked.examples, len(picked.equal)),
            "best": described(final, picked.first, asked.examples) if first != place else None,
            "equal": len(picked.equal),
            "left": picked.left,
            "edges": {
                axis: end for axis in ("lr", "batch_size") if (end := edge(place, grid.rows, axis))
            },
        },
        "tied": members(final, tied),
        "finalists": [described(final, i, asked.examples) for i in range(len(final))]
        if confirmed
        else [],
        "lr_range": rate_range(grid, near, place),
        "optimizers": rows,
        "against": apart,
        "most_forgiving": most_forgiving(by_optimizer, rows, margin) if whole else None,
        "next": [s.plain() for s in _next(asked, final, rows, place, confirmed) if s],
    }


def _next(
    asked: Asked,
    final: Cells,
    rows: Sequence[Mapping[str, Any]],
    place: Row,
    confirmed: bool,
) -> list[Suggestion | None]:
    """What would settle what is open."""
    if not asked.whole:
        return []
    ask = Next(asked.study, asked.axes)
    cells = {key(axes(cell)): cell for cell in asked.cells}
    known = {row["digest"]: row for row in final.rows}
    bests = [known[row["digest"]] for row in rows]
    finalists = [cells[key(row)] for row in (final.rows if confirmed else bests)]
    # the setting to take stands for its optimizer
    best = [place if row["optimizer"] == place["optimizer"] else row for row in bests]
    ends = {row["optimizer"]: edge(row, asked.grid.rows) for row in best}
    found = [
        ask.seeds_first(asked.grid.seeds),
        ask.lr({name: end for name, end in ends.items() if end}),
        ask.batch(edge(place, asked.grid.rows, "batch_size")),
    ]
    if confirmed and asked.confirm:
        open_ = [row for row in rows if row["verdict"] == "undecided"]
        needed = [_needed(row["difference"], asked.margin, final.seeds) for row in open_]
        names = [f"{row['optimizer']} against {rows[0]['optimizer']}" for row in open_]
        if needed:
            found.append(ask.seeds(names, min(needed), asked.confirm, finalists))
    elif asked.grid.seeds > 1:
        found.append(ask.confirm(DEFAULT["cells"], DEFAULT["seeds"], finalists))
    return found


def _needed(apart: Mapping[str, float], margin: float, seeds: int) -> int:
    """Fresh seeds after which an undecided difference leaves zero out, or lies in the margin."""
    half = (apart["high"] - apart["low"]) / 2
    away = max(abs(apart["mean"]), margin - abs(apart["mean"]), 1e-9)
    return fresh_seeds_needed(seeds, half, away)
