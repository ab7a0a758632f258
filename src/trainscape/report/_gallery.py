"""The study's figures as small multiples, which stand behind one button of the page."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from trainscape.analysis import metric, whole
from trainscape.analysis.functions import outcome
from trainscape.figures.names import TIMED, Sorted
from trainscape.figures.values import score
from trainscape.figures.words import alt, caption
from trainscape.report._pictures import WORDS
from trainscape.report._sections import drawn
from trainscape.report._times import doubts

if TYPE_CHECKING:
    import pandas as pd

    from trainscape.figures.names import Figure
    from trainscape.report._page import Page

TITLES = {
    "optimizers": "Optimizers compared",
    "safe-rate": "Learning rates that do as well as the best",
    "lr-scaling": "Best learning rate against batch size",
    "batch-scaling": "Steps to the target against batch size",
    "importance": "What matters",
    "train-loss": "Training loss",
    "test-metric": "{outcome}",
    "steps-to-target": "Steps to the target",
    "time-to-target": "Time to the target",
    "curves": "Learning curves",
    "loss-curves": "Learning curves",
    "throughput": "Throughput",
    "diverged-share": "Diverged seeds",
}
LEADS = {
    "train-loss": "Mean over the seeds of the last running mean, below it the standard deviation.",
    "test-metric": "Mean over the seeds, below it the standard deviation.",
    "steps-to-target": "Median over the seeds of the first evaluation that reached the target.",
    "time-to-target": "Steps to the target × the time of one step, measured alone.",
    "curves": "Each schedule at its best learning rate by validation.",
    "loss-curves": "Every learning rate, since nothing is selected without a validation split.",
    "throughput": "Samples a second of training steps alone, without data loading.",
    "diverged-share": "How many of a cell's seeds ended in NaN or infinity.",
}


def gallery(page: Page) -> list[dict[str, Any]]:
    """Every figure that stands nowhere else, by workload and kind, as SVG text.

    Raises:
        UserError: a figure is missing.
    """
    cells = Sorted(whole(page.cells, page.searched))
    kinds = [kind for kind in TITLES if kind not in page.study.get("figures", [])]  # of an article
    return [
        {
            "workload": workload,
            "title": _title(kind, workload),
            "lead": _lead(kind, workload, page),
            "figures": [_shown(figure, page, cells) for figure in figures],
        }
        for workload, kind in product(page.labels.workloads, kinds)
        if (figures := page.of(workload, kind))
    ]


def _shown(figure: Figure, page: Page, cells: Sorted) -> dict[str, str]:
    svg, _, _ = drawn(page.folder / figure.path)
    if figure.kind in WORDS:
        instead, below = WORDS[figure.kind](figure.workload, page.found[figure.workload])
    else:
        rows = cells.of(figure)
        instead, below = alt(figure, rows), caption(figure, rows)
    return {"svg": svg, "alt": instead, "caption": below}


def _title(kind: str, workload: str) -> str:
    """The heading of a kind; of a function no value is a test value."""
    said = outcome(workload)
    return TITLES[kind].format(outcome=said[0].upper() + said[1:])


def _lead(kind: str, workload: str, page: Page) -> str:
    lead = LEADS.get(kind, "")
    lead += _target(workload, page.trials) if kind.endswith("to-target") else ""
    doubt = doubts(page.times) if kind in TIMED else ""
    return f"{lead} {doubt}".strip()


def _target(workload: str, trials: pd.DataFrame) -> str:
    judged = metric(workload)
    target = float(trials.loc[trials["workload"] == workload, "target"].iloc[0])
    bound = "at least" if judged.direction == "max" else "at most"
    value = score(target, judged, unit=True)
    return f" The target is a validation {judged.name} of {bound} {value}."
