"""The parts of the page below its first screen: of each workload, one question a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainscape.charts.batches import batch_scaling
from trainscape.charts.cost import cost
from trainscape.charts.curves import curves
from trainscape.charts.failures import failures
from trainscape.charts.forest import forest
from trainscape.charts.matters import matters
from trainscape.charts.scaling import lr_scaling
from trainscape.charts.sensitivity import safe_rates, sensitivity
from trainscape.report import _map
from trainscape.report._facts import machine
from trainscape.report._times import doubts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainscape.charts import Chart
    from trainscape.report._claim import Claim
    from trainscape.report._page import Page

    Maker = Callable[[str, Page], "Chart | None"]


@dataclass(frozen=True)
class Question:
    """How a part of the page is made.

    Args:
        kind: its name: the script knows it by it, links lead to it.
        title: its heading.
        short: what links call it.
        lead: how to read it, in a sentence or two.
        charts: what makes its charts from a workload's name and the page; None for none.
        claim: the kind of claim that belongs to it, if any: it stands folded below.
        half: whether two such parts stand side by side where the screen is wide.
        template: a file of this folder that lays out what ``shown`` makes, above the charts.
        shown: what makes it from a workload's name and the page; None for no such part.
    """

    kind: str
    title: str
    short: str
    lead: str = ""
    charts: Sequence[Maker] = ()
    claim: str = ""
    half: bool = False
    template: str = ""
    shown: Callable[[str, Page], Any] | None = None


@dataclass(frozen=True)
class Part:
    """What the page shows of one question of one workload.

    Args:
        question: the question.
        charts: its charts.
        claim: what was found, in words and as a table.
        shown: what its template lays out.
    """

    question: Question
    charts: Sequence[Chart] = ()
    claim: Claim | None = None
    shown: Any = None


def _of_found(make: Callable[[str, Mapping[str, Any]], Chart | None]) -> Maker:
    """A chart that what was found alone decides."""
    return lambda workload, page: make(workload, page.found[workload])


def _in_order(make: Callable[[str, Mapping[str, Any], Sequence[str]], Chart | None]) -> Maker:
    """A chart that needs all optimizers in the study's order as well: each has its colour."""
    return lambda workload, page: make(workload, page.found[workload], page.labels.optimizers)


def _cost(workload: str, page: Page) -> Chart | None:
    return cost(
        workload,
        page.found[workload],
        [row for row in page.cells if row["workload"] == workload],
        page.times,
        page.labels.optimizers,
    )


def _machine(workload: str, page: Page) -> dict[str, str] | None:
    """What the time of another grid is reckoned by; None without step times."""
    own = [row for row in page.cells if row["workload"] == workload]
    if not any(row.get("step_time_s") is not None for row in own):
        return None
    return {
        "machine": machine(page.provenance.get("hardware") or {}),
        "doubt": doubts(page.times),
    }


def _curves(workload: str, page: Page) -> Chart | None:
    return curves(workload, page.found[workload], page.curves, page.labels.optimizers)


def _failures(workload: str, page: Page) -> Chart | None:
    own = [row for row in page.cells if row["workload"] == workload]
    return failures(workload, own, page.labels.optimizers)


FOREST = Question(
    "forest",
    "Optimizers compared",
    "Optimizers",
    charts=[_of_found(forest)],
    claim="optimizers",
)
QUESTIONS = (
    Question(
        "sensitivity",
        "How far the learning rate may be off",
        "Sensitivity",
        "Which rates do as well as the best, and what others cost.",
        charts=[_in_order(sensitivity), _in_order(safe_rates)],
    ),
    Question(
        "map",
        "The map",
        "Map",
        "What every cell of the grid came to.",
        charts=[_map.cell_seeds, _map.cell_curves],
        template="map.html.j2",
        shown=_map.still,
    ),
    Question(
        "lr-scaling",
        "Another batch size, which learning rate",
        "Batch and lr",
        "The best learning rate follows batch^α: what α is here, and what it makes of yours.",
        charts=[_in_order(lr_scaling)],
        claim="lr-scaling",
    ),
    Question(
        "batch-scaling",
        "How large a batch pays",
        "Largest batch",
        "A batch pays if it saves at least a quarter of the steps of half of it.",
        charts=[_in_order(batch_scaling)],
        claim="batch-scaling",
    ),
    Question(
        "cost",
        "What accuracy costs",
        "Cost",
        charts=[_cost],
        half=True,
        template="cost.html.j2",
        shown=_machine,
    ),
    Question("curves", "Learning curves", "Curves", charts=[_curves], half=True),
    Question(
        "matters",
        "What matters",
        "What matters",
        charts=[_of_found(matters)],
        claim="importance",
        half=True,
    ),
    Question("failures", "What fails", "What fails", charts=[_failures], half=True),
)


def parts(page: Page, workload: str, claims: Mapping[str, Claim]) -> list[Part]:
    """What is asked of a workload, in the order in which it is read.

    Args:
        page: what the report is written from.
        workload: its name.
        claims: what was found of it, by kind.
    """
    made = (_part(question, page, workload, claims) for question in QUESTIONS)
    return [part for part in made if part is not None]


def comparison(page: Page, workload: str, claims: Mapping[str, Claim]) -> Part | None:
    """The forest plot of the first screen."""
    return _part(FOREST, page, workload, claims)


def _part(
    question: Question, page: Page, workload: str, claims: Mapping[str, Claim]
) -> Part | None:
    charts = [chart for make in question.charts if (chart := make(workload, page))]
    shown = question.shown(workload, page) if question.shown else None
    if not charts and shown is None:
        return None
    return Part(question, charts, claims.get(question.claim), shown)
