"""The map of a grid: what its colours may show, and the still map that stands there without script.

The page's script draws every map from the columns of :mod:`trainscape.report._data`. What it must
not decide by itself stands here: what each measure is called, which values have which colour, and
where a cell's file is. Colours are classes of ``style/map.css``, ``v0`` the worst and ``v23`` the
best.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trainscape import analysis
from trainscape.analysis import key, metric
from trainscape.analysis.functions import is_function
from trainscape.charts import cell as charts
from trainscape.figures import heatmap
from trainscape.figures.values import deviation, duration, number, score, ticks
from trainscape.report._answer import cell_name
from trainscape.report._table import AXES_OF_CELL, ranked, with_verdicts
from trainscape.report._times import doubts
from trainscape.statistics.intervals import student, t_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from trainscape.analysis import Row
    from trainscape.charts import Chart
    from trainscape.report._page import Page
    from trainscape.workloads import Metric

LEVELS = heatmap.LEVELS
LEVEL = 0.95  # of the interval of a mean over seeds
CELLS = "cells"  # the folder of cell files below a study's results


@dataclass(frozen=True)
class Measure:
    """One thing that the colours of a map may show.

    Args:
        kind: its name; of a mean over seeds also that of the page's column.
        title: what it is called in a menu.
        about: what a field shows, in a sentence.
        better: ``max`` or ``min``.
        words: how a value is written: ``score``, ``number``, ``seconds`` or ``seeds``.
        apart: how two cells are compared: by a difference in ``points`` of a share, by another
            ``difference``, or by a ``ratio``, where the values are logarithmic.
        bounds: the values between one colour and the next, ascending.
        ticks: what the ends and the middle of the colour bar are called, worst first.
    """

    kind: str
    title: str
    about: str
    better: str
    words: str
    apart: str
    bounds: Sequence[float]
    ticks: Sequence[str]

    def level(self, value: float) -> int:
        """The colour of a value: 0 is the worst."""
        above = bisect_right(self.bounds, value)
        return above if self.better == "max" else LEVELS - 1 - above


@dataclass(frozen=True)
class Field:
    """A field of the still map."""

    text: str
    note: str = ""
    look: str = ""


@dataclass(frozen=True)
class Still:
    """The map that stands in the page before its script runs, and on paper without one.

    Args:
        title: which part of the grid it shows.
        about: what its fields show.
        columns: learning rates.
        rows: batch sizes with their fields, the largest first.
        ticks: of the colour bar.
        levels: of the colour bar.
        ramp: which colours: a letter of ``style/map.css``.
        centre: whose charts stand beside it, if any do.
    """

    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Field]]]
    ticks: Sequence[str]
    levels: int = LEVELS
    ramp: str = "v"
    centre: str = ""


def measures(workload: str, rows: Sequence[Row], page: Page) -> Iterator[Measure]:
    """What the colours may show, the standard first; without values there is no measure.

    Args:
        workload: its name.
        rows: its summary rows.
        page: what the report is written from.
    """
    judged, seeds = metric(workload), "mean ± standard deviation over seeds"
    last = _ends(workload) if is_function(workload) else f"test {judged.name}"
    share = judged.unit == "fraction"
    unit = " in percent" if share else f" in {judged.unit}" if judged.unit else ""
    of_metric = ("score", judged.direction, share)
    reached = "median over seeds; below, how many seeds reached the target"
    doubt = doubts(page.times)
    timed = f"{reached}. {doubt.removesuffix('.')}" if doubt else reached
    asked: list[tuple[str, str, str, str, tuple[str, str, bool]]] = [
        ("val", "val_metric_mean", f"validation {judged.name}", f"{seeds}{unit}", of_metric),
        ("test", "test_metric_mean", last, f"{seeds}{unit}", of_metric),
        ("loss", "train_loss_mean", "train loss", seeds, ("number", "min", False)),
        ("steps", "steps_to_target", "steps to target", reached, ("number", "min", False)),
        ("time", "time_to_target_s", "time to target", timed, ("seconds", "min", False)),
        ("gap", "generalisation_gap", "gap", "test loss − training loss", ("number", "min", False)),
    ]
    if not page.validated:
        asked.insert(0, asked.pop(2))  # nothing is selected: training comes first
    for kind, column, title, about, (words, better, shares) in asked:
        values = [row[column] for row in rows if row.get(column) is not None]
        if values:
            yield _measure((kind, title, about, words), values, judged, better, shares)
    lost = [lost_share(row) for row in rows if row["seeds"]]
    if any(lost):
        about = "seeds that diverged, or ended no better than chance"
        bounds = [level / LEVELS for level in range(1, LEVELS)]
        ends = ["all", "half", "none"]
        yield Measure("lost", "failed or diverged", about, "min", "seeds", "points", bounds, ends)


def lost_share(row: Row) -> float:
    """The share of a cell's seeds that diverged or learned nothing."""
    return float((row["diverged"] + (row["failed"] or 0)) / row["seeds"])


def _measure(
    named: tuple[str, str, str, str],
    values: Sequence[float],
    judged: Metric,
    better: str,
    share: bool,
) -> Measure:
    kind, title, about, words = named
    write = _writer(words, judged)
    scale = heatmap.scale(values, better, title, write, fraction=share)
    inverse = scale.norm.inverse
    low, high = float(scale.norm.vmin or 0.0), float(scale.norm.vmax or 0.0)
    ends = [write(low), write(float(inverse(0.5))), write(high)]
    if scale.extend == "min":
        ends[0] = f"≤ {ends[0]}"
    if scale.extend == "max":
        ends[2] = f"≥ {ends[2]}"
    apart = "points" if share else "ratio" if min(values) > 0 else "difference"
    bounds = [float(f"{float(inverse(level / LEVELS)):.6g}") for level in range(1, LEVELS)]
    return Measure(
        kind, title, about, better, words, apart, bounds, ends if better == "max" else ends[::-1]
    )


def _writer(words: str, judged: Metric) -> Callable[[float], str]:
    if words == "score":
        return lambda value: score(value, judged)
    return duration if words == "seconds" else number


def of_map(
    workload: str,
    rows: Sequence[Row],
    grid: Sequence[Row],
    axes: Mapping[str, Sequence[Any]],
    page: Page,
) -> dict[str, Any]:
    """What the script knows of a workload's maps besides its cells.

    Args:
        workload: its name.
        rows: its summary rows.
        grid: every cell of its grid, trained or not.
        axes: the values of every axis, by name; the page's data counts places in them.
        page: what the report is written from.
    """
    many = max(_most(page.trials), _most(page.confirmed))
    return {
        "measures": [asdict(found) for found in measures(workload, rows, page)],
        "grid": [
            {
                axis: [axes[axis].index(value) for value in _values(grid, optimizer, axis)]
                for axis in ("batch_size", "lr")
            }
            for optimizer in axes["optimizer"]
        ],
        "searched": page.searched is not None,
        "target": _target(workload, page.trials),
        "ends": _ends(workload),
        # half a 95% interval of a mean is this many standard errors, by the number of seeds
        "t": [0, 0, *(float(f"{t_quantile(LEVEL, n - 1):.5g}") for n in range(2, many + 1))],
        "folder": f"{page.study.get('output', 'results')}/{CELLS}/{workload}",
        "rates": [repr(rate) for rate in axes["lr"]],  # as in a cell file's name
    }


def _grid(workload: str, page: Page) -> list[Row]:
    """Every cell of the grid, trained or not."""
    return [row for row in analysis.whole(page.cells, page.searched) if row["workload"] == workload]


def _values(grid: Sequence[Row], optimizer: str, axis: str) -> list[Any]:
    """The values of an axis that an optimizer is tried with, ascending."""
    return sorted({row[axis] for row in grid if row["optimizer"] == optimizer})


def _ends(workload: str) -> str:
    """What a trial's last value is: a function has nothing that it could be tested on."""
    return "value" if is_function(workload) else "test"


def _most(trials: pd.DataFrame | None) -> int:
    """The most seeds that a cell has."""
    if trials is None or trials.empty:
        return 0
    return int(trials.groupby(list(analysis.AXES), sort=False).size().max())


def _target(workload: str, trials: pd.DataFrame) -> float | None:
    found = trials[trials["workload"] == workload]["target"].dropna()
    return None if found.empty else float(found.iloc[0])


def still(workload: str, page: Page) -> Still | None:
    """The map around the chosen cell, by what the page chooses by."""
    rows = [row for row in with_verdicts(page.cells, page.found) if row["workload"] == workload]
    measure = next(measures(workload, rows, page), None)
    if measure is None:
        return None
    judged, centre = metric(workload), _centre(workload, page)
    optimizer, schedule = centre["optimizer"], centre["schedule"]
    grid, known = _grid(workload, page), {key(row, AXES_OF_CELL): row for row in rows}
    rates = _values(grid, optimizer, "lr")
    sizes = _values(grid, optimizer, "batch_size")[::-1]
    return Still(
        f"{optimizer}, {schedule}: {measure.title}",
        measure.about,
        ticks(rates),
        [
            (
                str(size),
                [
                    _field(known.get((optimizer, size, rate, schedule)), measure, judged)
                    for rate in rates
                ],
            )
            for size in sizes
        ],
        measure.ticks,
        centre=cell_name(centre),
    )


def _centre(workload: str, page: Page) -> Row:
    """The cell that the page opens with: the one to take, or else the first of its table."""
    own = [row for row in page.cells if row["workload"] == workload]
    chosen = page.found[workload]["chosen"]
    if chosen is None:
        return ranked(own)[0]
    wanted = key(chosen["cell"], AXES_OF_CELL)
    return next(row for row in own if key(row, AXES_OF_CELL) == wanted)


def _field(row: Row | None, measure: Measure, judged: Metric) -> Field:
    """A field of the still map, which shows a mean over seeds."""
    if row is None:
        return Field("", "", "none")
    if row["status"] == "oom":
        return Field("oom", "", "lost")
    if row["diverged"]:
        return Field(f"div {row['diverged']}/{row['seeds']}", "", "lost")
    column = {"val": "val_metric", "test": "test_metric", "loss": "train_loss"}[measure.kind]
    mean, spread = row[f"{column}_mean"], row[f"{column}_std"]
    if mean is None:
        return Field("no value", "", "lost")
    spoken = measure.words == "score"
    text = score(mean, judged) if spoken else number(mean)
    if row["failed"] == row["seeds"]:
        return Field(f"fail {row['failed']}/{row['seeds']}", text, "lost")
    note = "" if spread is None else "±" + (deviation if spoken else _loose)(spread, judged)
    marks = {"take": " tied take", "may be best": " tied"}.get(row["verdict"], "")
    few = " few" if row["failed"] else ""
    return Field(text, note, f"v{measure.level(mean)}{marks}{few}")


def _loose(value: float, _: Metric) -> str:
    return number(value, 2)


def cell_seeds(workload: str, page: Page) -> Chart | None:
    """The seeds of the cell that the page opens with."""
    judged, row = metric(workload), _centre(workload, page)
    scale = 100 if judged.unit == "fraction" else 1
    values: list[dict[str, Any]] = []
    means: list[dict[str, Any]] = []
    for table, prefix in ((page.trials, ""), (page.confirmed, "fresh ")):
        own = _own(table, row)
        for column, split in (("val_metric", "validation"), ("test_metric", _ends(workload))):
            if own is None or own[column].dropna().empty:
                continue
            found = own[["seed", column]].dropna()
            of = f"{prefix}{split}"
            before: Counter[float] = Counter()
            for seed, value in zip(found["seed"], found[column], strict=True):
                told = score(value, judged, unit=True)
                lift = (1 if before[value] % 2 else -1) * ((before[value] + 1) // 2)
                row_of = {"of": of, "seed": int(seed), "value": scale * value}
                values.append({**row_of, "told": told, "lift": lift})
                before[value] += 1  # equal seeds stand side by side
            means.append({"of": of, **_mean(found[column].to_numpy(), judged, scale)})
    return charts.seeds(values, means, _axis(judged, judged.name))


def _mean(values: Any, judged: Metric, scale: int) -> dict[str, Any]:
    """A mean over seeds and its 95% interval, by Student's t."""
    mean = float(values.mean())
    told = score(mean, judged, unit=True)
    if len(values) < 2:
        return {"mean": scale * mean, "low": None, "high": None, "told": told}
    low, high = student(values, LEVEL)
    return {
        "mean": scale * mean,
        "low": scale * low,
        "high": scale * high,
        "told": f"{told} ({score(low, judged)} to {score(high, judged)})",
    }


def cell_curves(workload: str, page: Page) -> Chart | None:
    """The learning curves of the cell that the page opens with."""
    judged, own = metric(workload), _own(page.curves, _centre(workload, page))
    if own is None:
        return None
    of_metric = bool(own["metric"].notna().any())
    column = "metric" if of_metric else "loss"
    scale = 100 if of_metric and judged.unit == "fraction" else 1
    own = own.dropna(subset=[column])
    points = [
        {
            "step": int(step),
            "seed": int(seed),
            "value": scale * value,
            "told": number(scale * value),
        }
        for step, seed, value in zip(own["step"], own["seed"], own[column], strict=True)
    ]
    seeds = own["seed"].nunique()
    means = [
        {"step": step, "value": scale * float(group.mean())}
        for step, group in own.groupby("step")[column]
        if len(group) == seeds
    ]
    target = _target(workload, page.trials) if of_metric else None
    return charts.curves(
        points,
        means,
        _axis(judged, f"validation {judged.name}") if of_metric else "train loss",
        target=None if target is None else scale * target,
        log=not of_metric and all(point["value"] > 0 for point in points),
    )


def _axis(judged: Metric, name: str) -> str:
    unit = "%" if judged.unit == "fraction" else judged.unit
    return f"{name}, {unit}" if unit else name


def _own(table: pd.DataFrame | None, row: Row) -> pd.DataFrame | None:
    """A table's rows of one cell; None if it has none."""
    if table is None or table.empty:
        return None
    for axis in analysis.AXES:
        table = table[table[axis] == row[axis]]
    return None if table.empty else table
