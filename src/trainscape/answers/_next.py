"""What to run next: for every flagged edge and every open question, the change that settles it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trainscape import datasets, workloads
from trainscape.cells.budget import Plan, validation_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.cells.cell import Cell

MANY = 200  # fresh seeds: a question that needs more is left open
ENOUGH = 5  # seeds of a grid: what the default study has
DIGITS = 3  # of a rate that is proposed


@dataclass(frozen=True)
class Suggestion:
    """A change of params.yaml.

    Args:
        why: the question that it settles.
        change: the keys of params.yaml that change, with their new values.
        cells: how many cells train that are not there.
        trials: how many trials these are.
        steps: how many steps all of them take.
        share: these steps over those of the study.
    """

    why: str
    change: Mapping[str, Any]
    cells: int
    trials: int
    steps: int
    share: float

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "why": self.why,
            "change": dict(self.change),
            "cells": self.cells,
            "trials": self.trials,
            "steps": self.steps,
            "share": round(self.share, 4),
        }


class Next:
    """Suggestions that follow from the answer of one workload.

    Args:
        cells: the grid's, of all workloads: an axis is that of all.
        asked: the study's ``grid`` as its file has it: an axis that is changed keeps its form.
    """

    def __init__(self, cells: Sequence[Cell], asked: Mapping[str, Any]) -> None:
        self.cells, self.asked = cells, asked
        self.whole = sum(_steps(cell) for cell in cells)

    def seeds_first(self, seeds: int) -> Suggestion | None:
        """More seeds of the grid, where one says nothing of noise."""
        if seeds > 1:
            return None
        more = tuple(range(1, ENOUGH))
        added = [replace(cell, seeds=more) for cell in self.cells]
        why = "one seed does not tell what is noise: train more"
        return self._suggest(why, {"seeds": ENOUGH}, added)

    def lr(self, flagged: Mapping[str, str]) -> Suggestion | None:
        """A rate beyond the ends of the axis.

        Args:
            flagged: ``lowest`` or ``highest`` by the label of each optimizer whose best rate is at
                that end; none for no suggestion.
        """
        if not flagged:
            return None
        rates: dict[str, list[float]] = {}
        for cell in sorted(self.cells, key=lambda cell: cell.optimizer.label):
            own = rates.setdefault(cell.optimizer.label, [])
            if cell.lr not in own:
                own.append(cell.lr)
        beyond = {label: _beyond(rates[label], end) for label, end in flagged.items()}
        new = {
            label: sorted([*own, beyond[label]]) if label in beyond else sorted(own)
            for label, own in rates.items()
        }
        added = [
            replace(cell, lr=beyond[label])
            for label, end in flagged.items()
            for cell in self.cells
            if cell.optimizer.label == label
            and cell.lr == (min if end == "lowest" else max)(rates[label])
        ]
        every = len(beyond) == len(rates) and len(set(beyond.values())) == 1
        one = next(iter(new.values())) if every and len(set(map(tuple, new.values()))) == 1 else new
        names = _listed(f"{label} ({end})" for label, end in sorted(flagged.items()))
        why = f"the best lr is at an end of those tried: {names}"
        return self._suggest(why, {"grid": {"lr": one}}, added)

    def batch(self, end: str | None) -> Suggestion | None:
        """A batch size beyond the end of the axis at which the best is; None for none."""
        sizes = sorted({cell.batch_size for cell in self.cells})
        if end is None or len(sizes) < 2 or "full" in self.asked["batch_size"]:
            return None
        at = sizes[0] if end == "lowest" else sizes[-1]
        size = round(_beyond([float(size) for size in sizes], end))
        added = [replace(cell, batch_size=size) for cell in self.cells if cell.batch_size == at]
        if size < 1 or size in sizes or not all(map(_fits, added)):
            return None
        why = f"the best batch size is the {end} tried"
        return self._suggest(why, {"grid": {"batch_size": sorted([*sizes, size])}}, added)

    def seeds(
        self,
        open_: Sequence[str],
        needed: int,
        confirm: Mapping[str, int],
        finalists: Sequence[Cell],
    ) -> Suggestion | None:
        """More fresh seeds, where the difference between optimizers is undecided.

        Args:
            open_: the questions.
            needed: fresh seeds that settle the nearest of them, by the spread that was seen.
            confirm: as the study has it.
            finalists: the cells that were confirmed.
        """
        if not open_ or not confirm["seeds"] < needed <= MANY:
            return None
        more = tuple(range(needed - confirm["seeds"]))  # as many as are new
        added = [replace(cell, seeds=more) for cell in finalists]
        why = f"undecided: {_listed(open_)}"
        return self._suggest(why, {"confirm": {**confirm, "seeds": needed}}, added)

    def confirm(self, cells: int, seeds: int, finalists: Sequence[Cell]) -> Suggestion:
        """Fresh seeds for the best cells, where the study has none."""
        fresh = tuple(range(seeds))
        added = [replace(cell, seeds=fresh) for cell in finalists]
        why = "the best of many cells owes something to luck: train the finalists on fresh seeds"
        return self._suggest(why, {"confirm": {"cells": cells, "seeds": seeds}}, added)

    def _suggest(self, why: str, change: Mapping[str, Any], added: Sequence[Cell]) -> Suggestion:
        steps = sum(_steps(cell) for cell in added)
        trials = sum(len(cell.seeds) for cell in added)
        return Suggestion(why, change, len(added), trials, steps, steps / self.whole)


def fresh_seeds_needed(seeds: int, half: float, away: float) -> int:
    """How many seeds narrow an interval until it no longer holds what it is compared with.

    A half width falls with the root of the number of seeds.

    Args:
        seeds: that there are.
        half: half the interval's width.
        away: how far its middle is from the nearest bound of a verdict, above zero.
    """
    return math.ceil(seeds * (half / away) ** 2)


def _beyond(values: Sequence[float], end: str) -> float:
    """The next value of a geometric axis beyond its end, in as few digits as the axis has."""
    ordered = sorted(values, reverse=end == "lowest")
    return float(f"{ordered[-1] ** 2 / ordered[-2]:.{DIGITS}g}")


def _steps(cell: Cell) -> int:
    """The steps of all of a cell's trials."""
    return Plan.of(cell.spec(), _examples(cell)).total * len(cell.seeds)


def _fits(cell: Cell) -> bool:
    """Whether the training split has as many examples as the batch."""
    size = _examples(cell)
    return cell.batch_size <= size - validation_size(size, cell.validation)


def _examples(cell: Cell) -> int:
    """How many the dataset has to train on, before any is held out."""
    return datasets.registry.get(workloads.registry.get(cell.workload).dataset).train


def _listed(words: Any) -> str:
    return ", ".join(words)
