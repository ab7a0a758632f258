"""The optimizers, each at its best cell, beside that of the chosen setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.answers._choice import described
from trainscape.answers._forgiving import forgiving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from trainscape.analysis import Cells
    from trainscape.answers._laid import Laid

    Floats = NDArray[np.float64]


def optimizers(
    grid: Mapping[str, Laid],
    final: Cells,
    places: Mapping[str, int],
    apart: Mapping[str, Sequence[Mapping[str, Any]]],
    reference: str,
    margin: float,
    examples: Mapping[str, Floats],
    *,
    whole: bool,
) -> list[dict[str, Any]]:
    """A row for each optimizer that has a cell without failures, the reference first.

    Differences are those of the test metric, paired by seed, from the reference. Each optimizer's
    cell is its best by validation on the seeds that are compared: the test metric does not choose.

    Args:
        grid: the cells of each optimizer, on the seeds that the finalists were chosen by.
        final: the cells that are compared: the finalists on fresh seeds, or all.
        places: by optimizer, its best cell among these.
        apart: what :func:`trainscape.answers._against.against` says of them.
        reference: the optimizer that the others are compared with.
        margin: what makes no difference in practice, in the metric's unit.
        examples: by digest, each test example's metric.
        whole: whether all cells of the grid were trained: else nothing is said of their shape.
    """
    pairs = {row["optimizer"]: row for row in apart[reference]}
    names = sorted(places, key=lambda name: (name != reference, name))
    return [
        {
            "optimizer": name,
            **described(final, places[name], examples),
            "difference": pairs[name]["difference"] if name in pairs else None,
            "verdict": pairs[name]["verdict"] if name in pairs else "reference",
            "forgiving": forgiving(grid[name], final.rows[places[name]], margin, whole=whole),
        }
        for name in names
    ]
