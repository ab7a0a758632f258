"""What a report is written from: the tables, the list of figures, and where the figures are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainscape.analysis import validated
from trainscape.report._runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from trainscape.analysis import Replayed, Row, Searched
    from trainscape.figures.names import Figure, Labels


@dataclass(frozen=True)
class Page:
    """All that the report says and shows.

    Args:
        study: the study as plain data; ``name``, ``figures``, ``budget``, ``last_batch`` and
            ``order`` are read, all of it is shown.
        labels: the study's workloads, optimizers and schedules.
        figures: every figure of the study.
        folder: where they are, and the tables beside them.
        found: by workload, what :mod:`trainscape.answers` found.
        cells: summary rows; with their times, null where not measured here, if the study has any.
        trials: a row per trial.
        curves: a row per trial and evaluation: of the validation split, or if there is none of
            training.
        confirmed: a row per trial on fresh seeds, if finalists were confirmed.
        times: ``timings.json``: step times, what is fastest, and where and when it was measured.
        paths: a row per step of every descent that keeps its parameters.
        snippets: gives the parts of a cell as text to paste, as
            :mod:`trainscape.pipeline.snippets` says.
        vega: gives the library that draws the live charts, packed.
        tests: a row per learning-rate range test.
        replayed: the simulated searches, if the study has any.
        searched: what was trained of the grid, if not all.
        notes: by workload, what to know of its grid before its numbers are read.
        provenance: what the results were made from and with: a value, or a mapping of values under
            a heading. ``hardware`` and ``load`` are those of ``timings.json``.
    """

    study: Mapping[str, Any]
    labels: Labels
    figures: Sequence[Figure]
    folder: Path
    found: Mapping[str, Mapping[str, Any]]
    cells: Sequence[Row]
    trials: pd.DataFrame
    curves: pd.DataFrame
    confirmed: pd.DataFrame | None = None
    times: Mapping[str, Any] = field(default_factory=dict)
    paths: Sequence[Row] = ()
    snippets: Callable[[], Mapping[str, Any]] = dict
    vega: Callable[[], str] = runtime
    tests: Sequence[Row] = ()
    replayed: Replayed | None = None
    searched: Searched | None = None
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def validated(self) -> bool:
        """Whether there is a validation split, and so any selection and ranking."""
        return validated(self.trials)

    @property
    def timed(self) -> bool:
        """Whether the study has step times, measured on this machine or not."""
        return any(figure.timed for figure in self.figures)

    def of(self, workload: str, kind: str) -> list[Figure]:
        """The figures of one kind of one workload, in the study's order."""
        return [
            figure for figure in self.figures if (figure.workload, figure.kind) == (workload, kind)
        ]
