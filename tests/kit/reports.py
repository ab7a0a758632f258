"""Figures and a report of a made-up study, drawn and written from its tables as the stages do it.

Offers: :class:`MadeUp`, the study; :func:`build`, its page; :func:`held`, what a page holds
packed; :data:`STUDY`, parameters to show.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import TYPE_CHECKING, Any

from kit import synthetic
from trainscape import analysis, answers, report
from trainscape.figures.draw import Content, draw
from trainscape.figures.names import Counts, Labels, Wanted, listed, of_answers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainscape.analysis import Entry, Replayed, Row, Searched

STUDY = {"name": "default", "budget": {"epochs": 10}, "grid": {"lr": [0.1, 0.01]}, "seeds": [0, 1]}


class MadeUp:
    """A study that is trained in a made-up way.

    Args:
        entries: its cells.
        measured: whether its step times are measured; None for a study without any.
        busy: whether the machine was busy then.
        tests: its learning-rate range tests.
        replayed: its simulated searches.
        searched: what was trained of its grid, if not all.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        measured: bool | None = True,
        busy: bool = False,
        tests: Sequence[Entry] = (),
        replayed: Replayed | None = None,
        searched: Searched | None = None,
    ) -> None:
        names = dict.fromkeys(entry.cell.workload for entry in entries)
        self.trials = analysis.trials(entries, dict.fromkeys(names, 0.95))
        self.summary = analysis.summary(self.trials)
        records = [synthetic.throughput(entries, too_high=busy)] if measured else []
        self.timings, self.tree = analysis.timings(records, self.summary, self.trials)
        rows = analysis.records(self.summary)
        self.cells = rows if measured is None else analysis.timed(self.summary, self.timings)
        self.tests = analysis.records(analysis.range_tests(tests, self.summary))
        self.test_curves = analysis.read_curves(analysis.range_curves(tests))
        split = "validation" if analysis.validated(self.trials) else "train"
        curves = analysis.curves(entries)
        self.evaluations = curves[curves["split"] == split]
        self.curves = analysis.records(self.evaluations)
        self.replayed, self.searched = replayed, searched
        whole = analysis.whole(rows, searched)
        self.labels = Labels(*(list(dict.fromkeys(row[a] for row in whole)) for a in AXES))
        self.found = {
            workload: self._answer(workload, entries) for workload in self.labels.workloads
        }
        self.figures = listed(
            self.labels,
            Wanted(
                validation=analysis.validated(self.trials),
                throughput=measured is not None,
                replay=replayed is not None,
                search=searched is not None,
                answers=self._pictures(whole),
            ),
        )
        drawn = {row["optimizer"]: row["workload"] for row in self.tests}
        self.figures += [
            figure
            for optimizer, workload in drawn.items()
            for figure in listed(
                Labels([workload], [optimizer], []), Wanted(validation=False, range_tests=True)
            )
        ]

    def _pictures(self, cells: Sequence[Row]) -> list[str]:
        """The kinds of pictures of what was found."""
        rates = {(row["optimizer"], row["lr"]) for row in cells}
        most = max(sum(own == name for own, _ in rates) for name in self.labels.optimizers)
        sizes = len({row["batch_size"] for row in cells})
        counts = Counts(len(self.labels.optimizers), sizes, most, len(self.labels.schedules))
        validated = analysis.validated(self.trials)
        return of_answers(counts, validation=validated, whole=self.searched is None)

    def _snippets(self) -> dict[str, Any]:
        """Text to paste, in the form of the real one."""
        _, optimizers, schedules = self.labels
        sizes = sorted({row["batch_size"] for row in self.cells})
        line = "optimizer = torch.optim.{}(model.parameters(), lr={{lr}})"
        return {
            "optimizer": {name: {"yaml": name, "torch": line.format(name)} for name in optimizers},
            "schedule": {name: {"yaml": name} for name in schedules},
            "factor": {
                workload: {name: {str(b): f"# {name}, {b}" for b in sizes} for name in schedules}
                for workload in self.labels.workloads
            },
        }

    def _answer(self, workload: str, entries: Sequence[Entry]) -> dict[str, Any]:
        """What is claimed of a workload."""
        trials = self.trials[self.trials["workload"] == workload]
        validated = analysis.validated(self.trials)
        critical, steps = analysis.critical_and_steps(trials, analysis.curves(entries))
        return answers.answer(
            answers.Asked(
                grid=analysis.Cells.of(trials, validation=287, test=360),
                final=None,
                examples={},
                margin=0.005,
                confirm=None,
                cells=[entry.cell for entry in entries if entry.cell.workload == workload],
                study=[entry.cell for entry in entries],
                axes={"batch_size": []},
                whole=self.searched is None,
                validated=validated,
                scaling=analysis.records(analysis.scaling(trials)),
                rates=analysis.records(analysis.best_rates(trials)),
                critical=analysis.records(critical),
                steps=analysis.records(steps),
                importance=analysis.records(analysis.importance(trials)),
            )
        )

    def draw(self, folder: Path) -> list[Path]:
        """Draw every figure."""
        content = Content(
            cells=analysis.whole(self.cells, self.searched),
            curves={analysis.key(r[0]): r for r in analysis.grouped(self.curves, analysis.AXES)},
            tests=self.tests,
            test_curves=self.test_curves,
            replayed=self.replayed,
            searched=self.searched,
            found=self.found,
        )
        return draw(self.figures, content, folder)

    def alone(self, folder: Path) -> Path:
        """Write the page without still figures, which take most of the time of a whole one."""
        self.figures = []
        path = folder / "report.html"
        report.write(self.page(folder), path)
        return path

    def page(self, folder: Path, study: dict[str, Any] = STUDY) -> report.Page:
        """What the report is written from, the figures lying in ``folder``."""
        return report.Page(
            study=study,
            labels=self.labels,
            figures=self.figures,
            folder=folder,
            found=self.found,
            cells=self.cells,
            trials=self.trials,
            curves=self.evaluations,
            times=self.tree,
            snippets=self._snippets,
            tests=self.tests,
            replayed=self.replayed,
            searched=self.searched,
            provenance={
                "study digest": "ab" * 32,
                "versions": {"torch": "2.11.0"},
                "hardware": self.tree["hardware"],
                "load": self.tree["load"],
            },
        )


AXES = ("workload", "optimizer", "schedule")


def build(
    entries: Sequence[Entry],
    folder: Path,
    *,
    study: dict[str, Any] = STUDY,
    drawn: bool = True,
    **about: Any,
) -> str:
    """Draw, write and read the report of ``entries``; ``about`` as :class:`MadeUp` takes it.

    Without still figures (``drawn``) it takes half the time.
    """
    made = MadeUp(entries, **about)
    if drawn:
        made.draw(folder / "figures")
    else:
        made.figures = []
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    report.write(made.page(folder / "figures", study), path)
    return path.read_text(encoding="utf-8")


def held(html: str, name: str) -> Any:
    """What a page holds packed: its ``data`` or its ``pictures``."""
    (text,) = re.findall(rf'<script type="text/plain" id="{name}">([\w+/=]+)</script>', html)
    return json.loads(gzip.decompress(base64.b64decode(text)))
