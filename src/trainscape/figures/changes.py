"""Heatmaps of differences: what each cell of one version has more, or less, than in the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import seaborn as sns
from matplotlib.colors import Normalize

from trainscape.figures.heatmap import LEVELS, Scale, heatmap
from trainscape.figures.style import RC, save
from trainscape.figures.values import Shown, number, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainscape.analysis.changes import Change, Comparison

FURTHEST = 0.98  # of the cells: the colours reach to the change that so many do not exceed
NOTES = {"undecided": "?", "same bytes": "bytes"}


def draw(found: Comparison, folder: Path) -> list[tuple[str, Path]]:
    """Draw a heatmap for each optimizer and schedule, batch size × learning rate.

    All share one scale, about zero. A cell shows the change of the metric, in points where it is a
    fraction, and its verdict.

    Args:
        found: the comparison.
        folder: where the figures go.

    Returns:
        For each figure its title and its file.
    """
    colours = _scale(found)
    facets = dict.fromkeys((change.cell[1], change.cell[4]) for change in found.cells)
    made = []
    for index, (optimizer, schedule) in enumerate(facets):
        own = [c for c in found.cells if (c.cell[1], c.cell[4]) == (optimizer, schedule)]
        title = f"{optimizer} · {schedule}"
        with mpl.rc_context(RC):
            sizes = sorted({change.cell[2] for change in own})
            lrs = sorted({change.cell[3] for change in own})
            places = {(sizes.index(c.cell[2]), lrs.index(c.cell[3])): _shown(c, found) for c in own}
            named = (title, "learning rate (peak)", "batch size")
            picture = heatmap(places, ticks(lrs), [str(size) for size in sizes], named, colours)
        path = save(picture, folder / f"{found.workload}-{found.table}-{index}.svg")
        made.append((title, path))
    return made


def _size(found: Comparison) -> float:
    """What a change is multiplied with to be shown: fractions in points."""
    return 100.0 if found.unit == "fraction" else 1.0


def _shown(change: Change, found: Comparison) -> Shown:
    if change.change is None:
        return Shown(None, change.verdict, state="none")
    value = _size(found) * change.change
    text = f"{value:+.1f}" if found.unit == "fraction" else f"{'+' * (value >= 0)}{number(value)}"
    text = "0" if not value else text.replace("-", "−")
    return Shown(value, text, NOTES.get(change.verdict, change.verdict))


def _scale(found: Comparison) -> Scale:
    """Colours about zero, as far as nearly all changes go."""
    moved = sorted(_size(found) * abs(c.change) for c in found.cells if c.change is not None)
    end = moved[int(FURTHEST * (len(moved) - 1))] if moved else 0.0
    end = end or (moved[-1] if moved else 0.0) or 1.0
    extend = "both" if moved and moved[-1] > end else "neither"
    cmap = sns.color_palette("vlag_r", as_cmap=True).resampled(LEVELS + 1)  # one for zero
    label = "points" if found.unit == "fraction" else found.unit or found.metric
    return Scale(cmap, Normalize(-end, end), extend, label, _tick, known=bool(moved))


def _tick(value: float) -> str:
    return f"{value:+.2g}".replace("-", "−") if value else "0"


def alt(title: str, changes: Sequence[Change]) -> str:
    """What a heatmap says, in words, for those who cannot see it."""
    counted = {
        verdict: sum(c.verdict == verdict for c in changes) for verdict in ("better", "worse")
    }
    words = " and ".join(f"{count} {verdict}" for verdict, count in counted.items())
    return f"Changes of {title}: of {len(changes)} cells {words}."
