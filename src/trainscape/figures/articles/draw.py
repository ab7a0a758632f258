"""Tables -> the pictures that :mod:`trainscape.figures.articles.names` lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

from trainscape.analysis import records
from trainscape.figures.articles.descent import decay, path
from trainscape.figures.articles.losses import loss_by_batch, trace
from trainscape.figures.articles.scaling import lr_scaling
from trainscape.figures.style import RC, save

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure as Picture

    from trainscape.analysis import Row
    from trainscape.figures.articles.descent import Heights
    from trainscape.figures.names import Figure

PICTURES: dict[str, Callable[[str, Sequence[Row]], Picture]] = {
    "loss-by-batch": loss_by_batch,
    "lr-scaling": lr_scaling,
    "trace": trace,
    "decay": decay,
}


def draw_articles(
    figures: Sequence[Figure],
    tables: Mapping[str, pd.DataFrame],
    heights: Mapping[str, Heights],
    folder: Path,
) -> list[Path]:
    """Draw ``figures`` into ``folder``; give their paths.

    Args:
        figures: what to draw.
        tables: the rows that each kind of figure is drawn from.
        heights: the function that each workload with a ``path`` figure descends on.
        folder: where the figures go.
    """
    rows = {kind: records(table) for kind, table in tables.items()}
    drawn = []
    for figure in figures:
        own = _own(figure, rows[figure.kind])
        with mpl.rc_context(RC):
            picture = (
                path(_title(figure), own, heights[figure.workload])
                if figure.kind == "path"
                else PICTURES[figure.kind](_title(figure), own)
            )
        drawn.append(save(picture, folder / figure.path))
    return drawn


def _own(figure: Figure, rows: Sequence[Row]) -> list[Row]:
    """The rows that a figure shows: those of its workload, and optimizer and schedule if named."""
    named = ("workload", "optimizer", "schedule")
    wanted = {key: value for key in named if (value := getattr(figure, key))}
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def _title(figure: Figure) -> str:
    return " · ".join(part for part in (figure.workload, figure.optimizer, figure.schedule) if part)
