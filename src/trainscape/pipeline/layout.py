"""What a study is made of, stage by stage: its files, and the stamps that decide freshness.

Read by the Snakefile in every process, so it imports neither torch nor pandas and writes nothing.

Cells carry their digest in their name. Every later stage has a stamp ``.made/<stage>/<sha12>``
(:mod:`trainscape.pipeline.stages`). A stage is stale exactly when its stamp is missing; time stamps
never count.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets, hardware, workloads
from trainscape.cells import alike, confirm, grid, identity, range_tests
from trainscape.errors import unknown
from trainscape.figures.names import (
    Counts,
    Figure,
    Labels,
    Wanted,
    article_tables,
    listed,
    of_answers,
)
from trainscape.hashing import SHORT
from trainscape.pipeline import outlook, packs, stages
from trainscape.pipeline.checks import check_article, check_figures, check_output
from trainscape.results import finalists as finalist_files
from trainscape.results.owner import check_claim
from trainscape.search.rounds import progress, read_round, round_files, stand_ins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trainscape.cells.cell import Cell
    from trainscape.study import Study

DATA = Path("data")
# What collect makes: tables that a commit is compared by, then long ones.
TABLES = (
    *("summary.csv", "trials.csv", "range.csv", "range.json"),
    *("curves.csv", "traces.csv", "paths.csv", "range-curves.csv"),
    *("confirm.csv", "examples.csv", "noise.csv", "carried.csv"),
)
ANSWERS = (
    *("answers.json", "metrics.json"),
    *("best.csv", "scaling.csv", "critical.csv", "importance.csv"),
)
REPLAY = ("replay/replay.csv", "replay/replay.json")
STEP = 32  # examples whose arithmetic takes as long as a step's overhead


def data_stamp(dataset: str) -> Path:
    """The file whose presence says that ``data/<dataset>.npz`` holds the pinned content."""
    return DATA / ".made" / f"{dataset}-{datasets.registry.get(dataset).sha256[:SHORT]}"


def data_file(dataset: str) -> str:
    """The file of a dataset's arrays."""
    return str(DATA / f"{dataset}.npz")


class Layout:
    """The files of a study.

    Args:
        study: the study; its grid is checked here.

    Raises:
        UserError: the study is not valid, or its output folder is another study's.
    """

    data = DATA
    identify = staticmethod(identity.digest)  # a cell's full digest

    def __init__(self, study: Study) -> None:
        self.study = study
        hardware.asked_width()  # refused here, and not by every job
        self.output = check_output(study.output, DATA)
        self.grid = grid.cells(study)
        self._digests: dict[str, str] = {}
        check_figures(study)
        check_article(study, self.grid)
        self.figures = self._listed()
        check_claim(self.output, study.name)

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Every cell of the grid by its file, in the order of the grid."""
        folder = self.output / "cells"
        return {str(folder / cell.path(identity.digest(cell))): cell for cell in self.grid}

    @cached_property
    def range_tests(self) -> dict[str, Cell]:
        """Every learning-rate range test by its file; none if the study wants none."""
        tests = range_tests.cells(self.grid, self.study.range_test)
        folder = self.output / range_tests.FOLDER
        return {str(folder / cell.path(identity.digest(cell))): cell for cell in tests}

    @cached_property
    def confirmable(self) -> dict[str, Cell]:
        """Every cell of the grid on fresh seeds, by file, in grid order; none if none is to be."""
        if not self.study.confirm:
            return {}
        folder, wanted = self.output / confirm.FOLDER, self.study.confirm
        cells = (confirm.again(cell, wanted) for cell in self.grid)
        return {str(folder / cell.path(identity.digest(cell))): cell for cell in cells}

    @cached_property
    def trainable(self) -> dict[str, Cell]:
        """All that may be trained, by file: the grid, the range tests, the grid on fresh seeds."""
        return {**self.cells, **self.range_tests, **self.confirmable}

    @cached_property
    def rounds(self) -> dict[str, list[str]]:
        """The files of a search's rounds in order, by workload; none where all cells train."""
        design = self.study.design
        return {} if design == "grid" else round_files(design, self.output, self.cells)

    @property
    def all_rounds(self) -> list[str]:
        """The files of all rounds, workload by workload."""
        return [file for files in self.rounds.values() for file in files]

    def proposed(self, files: Iterable[str] | None = None) -> list[str]:
        """The files of the cells that rounds proposed, in this order; of the rounds there are."""
        there = [Path(file) for file in files or self.all_rounds if Path(file).exists()]
        return [path for file in there for path in read_round(file, self.cells)]

    @property
    def chosen(self) -> dict[str, Cell]:
        """The cells that are trained, by file, in grid order; of a search, as far as proposed."""
        if not self.rounds:
            return self.cells
        proposed = set(self.proposed())
        return {path: cell for path, cell in self.cells.items() if path in proposed}

    @cached_property
    def finalists(self) -> dict[str, str]:
        """The file that says which cells are confirmed, by workload; none if none are."""
        if not self.study.confirm:
            return {}
        return finalist_files.files(self.output, self.cells, self.study.confirm.cells, self.rounds)

    def confirmed(self, files: Iterable[str] | None = None) -> dict[str, Cell]:
        """The finalists on fresh seeds, by file, in grid order; of the workloads that have theirs.

        Args:
            files: the files that name them; by default all.
        """
        there = [Path(file) for file in files or self.finalists.values() if Path(file).exists()]
        named = {path for file in there for path in finalist_files.read(file, self.cells)}
        again = zip(self.cells, self.confirmable.items(), strict=False)
        return dict(fresh for path, fresh in again if path in named)

    @property
    def trained(self) -> dict[str, Cell]:
        """All that is trained, by its file: the chosen cells, the range tests, the finalists."""
        return {**self.chosen, **self.range_tests, **self.confirmed()}

    @property
    def expected(self) -> dict[str, Cell]:
        """All that will be trained; others stand in for the cells yet to be proposed or chosen."""
        design, first = self.study.design, self.cells
        if design != "grid":
            first = stand_ins(design, self.cells, self.proposed())
        return {**first, **self.range_tests, **outlook.expected(self, first)}

    @property
    def progress(self) -> list[str]:
        """How far a search and a confirmation are, in a line each; none of a grid alone."""
        design, lines = self.study.design, [outlook.progress(self)]
        if design != "grid":
            lines.insert(0, progress(design, self.cells, self.rounds, len(self.proposed())))
        return [line for line in lines if line]

    def cost(self, path: str) -> int:
        """About how long the cell at ``path`` trains, in no unit: to share work out evenly.

        A step costs about as much as 32 examples, whatever its batch (measured on digits-mlp).
        """
        cell = self.trainable[path]
        return grid.plan(cell).total * len(cell.seeds) * (STEP + cell.batch_size)

    def pack(self, path: str) -> str:
        """What cells have in common that fill GPUs together (:mod:`.packs`)."""
        return packs.pack(self.trainable[path]) if self.gpu else ""

    def fill(self, path: str) -> packs.Fill:
        """The part of a GPU's pack that the cell at ``path`` takes."""
        return packs.Fill(self.trainable[path], DATA, self._widths)

    @cached_property
    def _widths(self) -> dict[tuple[str, int], int]:
        return {}

    @property
    def targets_to_reach(self) -> dict[str, float]:
        """The validation metric that each workload is to reach."""
        return grid.targets(self.study)

    @property
    def gpu(self) -> bool:
        """Whether the study trains on a GPU here."""
        wanted = self.study.device
        return wanted == "cuda" or (wanted == "auto" and hardware.gpus() is not None)

    def dataset(self, workload: str) -> list[str]:
        """The file of the workload's dataset, and the stamp that says which content it holds."""
        name = workloads.registry.get(workload).dataset
        return [data_file(name), str(data_stamp(name))]

    @property
    def datasets(self) -> list[str]:
        """The names of all datasets."""
        return sorted({workloads.registry.get(name).dataset for name in self.study.workloads})

    @property
    def checkpoints(self) -> Path:
        """The folder of trials whose cells are not done."""
        return self.output / ".checkpoints"

    @cached_property
    def throughput(self) -> str | None:
        """The file of the step times on this machine; None if the study measures none."""
        if not self.study.throughput.enabled:
            return None
        from trainscape.throughput import path

        return str(self.output / path(self.study, self.grid))

    @property
    def labels(self) -> Labels:
        """The workloads, optimizers and schedules, in the study's order."""
        return Labels(
            list(self.study.workloads),
            list(dict.fromkeys(cell.optimizer.label for cell in self.grid)),
            list(dict.fromkeys(cell.schedule.label for cell in self.grid)),
        )

    @property
    def notes(self) -> list[str]:
        """What to know before training: schedules that come to the same, a GPU that is missing."""
        found = alike.notes(self.grid).items()
        lines = [f"{workload}: {note}" for workload, told in found for note in told]
        if self.study.device == "cuda" and hardware.gpus() is None:
            lines.append("device: 'cuda', but no GPU is seen here; without one choose 'auto'")
        return lines

    def _listed(self) -> list[Figure]:
        """Every figure of the study."""
        study = self.study
        wanted = Wanted(
            validation=study.validation > 0,
            throughput=study.throughput.enabled,
            range_tests=study.range_test.enabled,
            replay=study.replay.enabled,
            search=study.design != "grid",
            answers=of_answers(
                self._counts(), validation=study.validation > 0, whole=study.design == "grid"
            ),
            articles=study.figures,
        )
        return listed(self.labels, wanted)

    def _counts(self) -> Counts:
        """How many values the axes of the grid have."""
        labels = self.labels
        rates = {(cell.optimizer.label, cell.lr) for cell in self.grid}
        most = max(sum(own == name for own, _ in rates) for name in labels.optimizers)
        sizes = len({cell.batch_size for cell in self.grid})
        return Counts(len(labels.optimizers), sizes, most, len(labels.schedules))

    @cached_property
    def figure_files(self) -> dict[str, Figure]:
        """Every figure by its file."""
        return {str(self.output / "figures" / figure.path): figure for figure in self.figures}

    def article_tables(self, *, timed: bool) -> list[str]:
        """The tables beside the article figures: those that hold seconds, or those that don't."""
        paths = article_tables(self.study.figures, self.study.workloads, timed=timed)
        return [str(self.output / "figures" / path) for path in paths]

    def products(self, stage: str) -> list[str]:
        """What a stage makes, its stamp apart; nothing for a stage that the study does without.

        Raises:
            UserError: there is no such stage.
        """
        if stage not in stages.STAGES:
            raise unknown("stage", stage, stages.STAGES)
        made: dict[str, Callable[[], list[str]]] = {
            "data": lambda: [file for w in self.study.workloads for file in self.dataset(w)],
            "train": lambda: [
                *(self.all_rounds or self.cells),
                *self.range_tests,
                *self.finalists.values(),
            ],
            "throughput": lambda: [self.throughput] if self.throughput else [],
            "replay": lambda: self._files(*REPLAY) if self.study.replay.enabled else [],
            "collect": lambda: self._files(*TABLES),
            "answer": lambda: self._files(*ANSWERS),
            "figures": lambda: self._drawn(timed=False),
            "timings": lambda: [
                *self._files("timings.csv", "timings.json"),
                *self._drawn(timed=True),
            ],
            "report": lambda: self._files("report.html"),
        }
        return made[stage]()

    def targets(self, *names: str) -> list[str]:
        """All that stages make: products and stamps, each file once."""
        files: list[str] = []
        for stage in names:
            files += self.products(stage)
            files += [self.stamp(stage)] if stage in stages.stamped(self) else []
        return list(dict.fromkeys(files))

    def digest(self, stage: str) -> str:
        """What decides a stage's products (:func:`trainscape.pipeline.stages.digest`)."""
        if stage not in self._digests:
            self._digests[stage] = stages.digest(self, stage)
        return self._digests[stage]

    def stamp(self, stage: str) -> str:
        """The file whose presence says that a stage's products are those of this study."""
        return str(self.output / ".made" / stage / self.digest(stage)[:SHORT])

    def stamped_files(self, stage: str) -> list[str]:
        """The files whose hashes a stage's stamp holds; cells hold checksums of their own."""
        return [] if stage == "train" else self.products(stage)

    def _drawn(self, *, timed: bool) -> list[str]:
        """The figures with or without seconds, and the tables beside them."""
        files = [file for file, figure in self.figure_files.items() if figure.timed == timed]
        return [*files, *self.article_tables(timed=timed)]

    def _files(self, *names: str) -> list[str]:
        return [str(self.output / name) for name in names]
