"""What an article says, whether it holds here, and its figures and tables, by workload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainscape.analysis import Row, metric, read_csv, records, rules
from trainscape.analysis.functions import is_function
from trainscape.answers.article import Told
from trainscape.figures.names import TABLES, table_path
from trainscape.figures.values import deviation, duration, number, score
from trainscape.numerals import hundredths
from trainscape.report._claim import bounds
from trainscape.report._sections import Image, image
from trainscape.report._table import AXES, Column, Table, fields
from trainscape.report._verdict import Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.figures.names import Figure
    from trainscape.report._page import Page
    from trainscape.workloads import Metric

TITLES = {
    "loss-by-batch": "Final training loss by batch size",
    "lr-scaling": "How the best learning rate follows the batch size",
    "trace": "Training loss step by step",
    "path": "The way down",
    "decay": "The decay, step by step",
    "batch-table": "What a batch size costs and brings",
}
LEADS = {
    "loss-by-batch": "The mean of the last epoch's batch losses; the band spans the seeds.",
    "lr-scaling": "The exponent α of best lr ∝ batch size^α, the best lr being the vertex of a "
    "parabola through the best loss and its neighbours. Its 95% interval is a bootstrap over "
    "seeds, in which every vertex also moves by up to ¾ of half a step of the axis. Open "
    "triangles: best rates that end the axis, the true ones may lie beyond. Black lines are the "
    "mean over the schedules, dotted ones the rules of thumb.",
    "trace": "The loss of single batches; the line is the first seed's run, the band spans the "
    "seeds.",
    "path": "Every point is an evaluation, from the first seed's start.",
    "decay": "Rate, loss and parameters after each step.",
    "batch-table": "Time is steps of the run × the time of one step, measured alone, without data "
    "loading; memory is the most that tensors take in a step.",
}
SCORE = "test_metric_mean"
LONG = 20  # rows that a table may have before it is folded away


@dataclass(frozen=True)
class Drawn:
    """All that one kind of figure shows; ``long`` tables are folded away."""

    kind: str
    title: str
    lead: str
    images: list[Image]
    table: Table | None
    long: bool


@dataclass(frozen=True)
class Article:
    """What is shown of one workload.

    Args:
        workload: its name.
        told: the claim with the verdict; None where the study repeats no article and only asks for
            figures.
        drawn: figures and tables, in the study's order.
    """

    workload: str
    told: Verdict | None
    drawn: list[Drawn]


def articles(page: Page) -> list[Article]:
    """One entry for each workload; none where a study neither repeats an article nor asks for more.

    Raises:
        UserError: a figure is missing.
    """
    kinds, repeats = page.study.get("figures", []), bool(page.study.get("article"))
    found = [
        Article(
            workload,
            verdict(_told(page, workload)) if repeats else None,
            [_drawn(page, workload, kind) for kind in kinds],
        )
        for workload in page.labels.workloads
    ]
    return [article for article in found if article.told or article.drawn]


def _told(page: Page, workload: str) -> Told:
    """What the article's claim is held against."""
    return Told(
        {"of": [], "than": None, "ends": {}, **page.study["article"]},
        records(page.trials[page.trials["workload"] == workload]),
        page.found[workload]["scaling"],
        [row for row in page.paths if row["workload"] == workload],
        metric(workload),
        is_function(workload),
    )


def _drawn(page: Page, workload: str, kind: str) -> Drawn:
    shown = [image(page.folder / f.path, *_words(f)) for f in page.of(workload, kind)]
    table = None
    if kind in TABLES:
        rows = records(read_csv(page.folder / table_path(workload, kind)))
        columns = _columns(kind, rows)
        table = Table(columns, [fields(row, columns) for row in rows])
    long = table is not None and len(table.rows) > LONG
    return Drawn(kind, TITLES[kind], LEADS[kind], shown, table, long)


def _words(figure: Figure) -> tuple[str, str]:
    """What stands for the picture, and below it."""
    own = ", ".join(part for part in (figure.optimizer, figure.schedule) if part)
    below = f"{figure.workload}{': ' if own else ''}{own}"
    return f"{TITLES[figure.kind]}, {below}. {LEADS[figure.kind]}", below


def _columns(kind: str, rows: Sequence[Row]) -> list[Column]:
    """The columns of a kind's table; of the axes, those along which it varies."""
    axes = [c for c in AXES if c.key in rows[0] and len({row[c.key] for row in rows}) > 1]
    if kind == "decay":
        steps = Column("step", "step", "counted from 0", lambda row, _: str(row["step"]))
        names = [key for key in rows[0] if key in ("rate", "loss") or key[1:].isdigit()]
        return [*axes, steps, *(_digits(name) for name in names)]
    if kind == "lr-scaling":
        return [*axes, *SCALING]
    exact = is_function(rows[0]["workload"])
    ends = Column(SCORE, "value" if exact else "test", "mean ± std over seeds", _score)
    return [*axes, *BATCHES[:2], ends, *BATCHES[2:]]


def _digits(name: str) -> Column:
    """A number to the six digits that the article prints."""
    return Column(name, name, "after the step", lambda row, _: number(row[name], 6))


def _exponent(row: Row, _: Metric) -> str:
    if row["exponent"] is None:
        return "–"
    found = bounds(row["low"], row["high"], hundredths) or " (no bounds)"
    return hundredths(row["exponent"]) + found


def _rules(row: Row, _: Metric) -> str:
    if row["exponent"] is None:
        return "–"
    return ", ".join(rules(row["low"], row["high"])) or "no rule of thumb"


def _score(row: Row, judged: Metric) -> str:
    mean, std = row[SCORE], row["test_metric_std"]
    if mean is None:
        return str(row["status"]) if row["status"] != "ok" else "–"
    return score(mean, judged, unit=True) + ("" if std is None else f" ± {deviation(std, judged)}")


def _measured(key: str, unit: float = 1.0, suffix: str = "") -> Any:
    def say(row: Row, _: Metric) -> str:
        return "not measured here" if row[key] is None else f"{number(row[key] / unit)}{suffix}"

    return say


def _time(row: Row, _: Metric) -> str:
    seconds = row["train_time_s"]
    return "not measured here" if seconds is None else duration(seconds)


SCALING = [
    Column("exponent", "α", "with its 95% interval", _exponent),
    Column("exponent", "within the interval", "rules of thumb that it allows", _rules, False),
    Column("edges", "edges", "best rates at an end of the axis", lambda row, _: str(row["edges"])),
]
BATCHES = [
    Column("steps", "steps", "of the run", lambda row, _: str(row["steps"])),
    Column("train_time_s", "time", "steps × step time", _time),
    Column(
        "peak_memory_bytes",
        "peak memory",
        "of tensors in a step",
        _measured("peak_memory_bytes", 1e6, " MB"),
    ),
    Column("samples_per_s", "samples/s", "of steps alone", _measured("samples_per_s")),
]
