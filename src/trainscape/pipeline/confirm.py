"""Choose the finalists of a workload: the cells that train again, on fresh seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainscape import analysis, datasets, workloads
from trainscape.cells.budget import validation_size
from trainscape.errors import MissingFileError, UserError
from trainscape.files import sweep
from trainscape.results.cell_files import read_entries
from trainscape.results.finalists import write
from trainscape.results.owner import claim
from trainscape.statistics.scores import scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trainscape.analysis import Row
    from trainscape.pipeline.layout import Layout
    from trainscape.statistics.scores import Scale
    from trainscape.workloads import Metric

    Floats = NDArray[np.float64]
    Key = tuple[float | str, ...]

DIGITS = 9  # decimals of a mean that rank: not a machine's last bits


def make(layout: Layout, file: str) -> None:
    """Write the file that names a workload's finalists; others of the workload are removed.

    Args:
        layout: the study, which confirms its best cells.
        file: the workload's file.

    Raises:
        UserError: it is no such file of the study, or a cell to choose from is missing or damaged.
    """
    found = [name for name, own in layout.finalists.items() if own == file]
    if not found or not layout.study.confirm:
        raise UserError(f"{file}: names no finalists of study {layout.study.name!r}")
    claim(layout.output, layout.study.name)
    workload = found[0]
    for earlier in layout.rounds.get(workload, ()):
        if not Path(earlier).exists():  # then there are cells that are not known yet
            raise MissingFileError(earlier)
    cells = {path: cell for path, cell in layout.chosen.items() if cell.workload == workload}
    entries = read_entries(cells, layout.identify)
    trials = analysis.records(analysis.trials(entries, layout.targets_to_reach))
    table = analysis.grouped(trials, analysis.AXES)
    rows = [{**seeds[0], "failed": any(row.get("failed") for row in seeds)} for seeds in table]
    values = np.array([[_number(row["val_metric"]) for row in seeds] for seeds in table])
    entry = workloads.registry.get(workload)
    held = validation_size(datasets.registry.get(entry.dataset).train, layout.study.validation)
    places = choose(rows, values, entry.metric, held, layout.study.confirm.cells)
    paths = list(cells)
    write(Path(file), [paths[place] for place in places])
    sweep(Path(file).parent, "finalists-*.json", keep=[Path(file)])
    for place in places:
        print(f"chosen {cells[paths[place]]}")
    if not places:
        print(f"no cell of {workload} ended well with every seed: there are no finalists")


def choose(
    rows: Sequence[Row], values: Floats, metric: Metric, examples: int, count: int
) -> list[int]:
    """The finalists among cells, the most promising first; none where no cell ended well.

    Args:
        rows: what is known of each cell: its axes, ``steps``, ``digest`` and ``failed``.
        values: the validation metric of each cell and seed, (C, S), NaN where a trial is missing.
        metric: says which way is better, and on which scale cells compare.
        examples: how many the metric was taken over.
        count: how many finalists; more where there are more optimizers than that.
    """
    optimizers = list(dict.fromkeys(row["optimizer"] for row in rows))
    groups = np.array([optimizers.index(row["optimizer"]) for row in rows])
    failed = np.array([bool(row["failed"]) for row in rows])
    keys: list[Key] = [
        (row["steps"] or 0, row["batch_size"], row["lr"], row["digest"]) for row in rows
    ]
    on = scale(metric.unit, metric.direction, values, examples)
    return finalists(values, on, groups, failed, count, keys)


def finalists(
    values: Floats,
    on: Scale,
    groups: NDArray[np.int64],
    failed: NDArray[np.bool_],
    count: int,
    keys: Sequence[Key],
) -> list[int]:
    """The best of every group, then those of the best means, the best first.

    Args:
        values: the metric of each cell and seed, (C, S), NaN where a trial is missing.
        on: the metric's scale.
        groups: the number of each cell's optimizer, (C,).
        failed: which cells have a failed trial, (C,); they are out, as are those without a value.
        count: how many; more where there are more groups than that.
        keys: what breaks a tie, the least first, of each cell.
    """
    complete = np.isfinite(values).all(1) & ~failed
    means = on.up(values).mean(1)
    ranking = sorted(
        (int(i) for i in np.flatnonzero(complete)),
        key=lambda i: (-round(float(means[i]), DIGITS), *keys[i]),
    )
    first: dict[int, int] = {}
    for i in ranking:
        first.setdefault(int(groups[i]), i)
    rest = [i for i in ranking if i not in first.values()]
    kept = {*first.values(), *rest[: max(0, count - len(first))]}
    return [i for i in ranking if i in kept]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
