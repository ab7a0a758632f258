"""What a study is made of, stage by stage: files, stamps and the digests that decide freshness.

Read by the Snakefile in every process, so it imports neither torch nor pandas and writes nothing.

Cells carry their digest in their name. Every later stage has a stamp ``.made/<stage>/<sha12>``
whose digest covers what the stage is made from: its inputs' digests, its parameters and its
source. A stage is stale exactly when its stamp is missing; time stamps never count.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets, hardware, workloads
from trainscape.cells import grid, range_tests, source
from trainscape.cells.identity import digest
from trainscape.errors import UserError, unknown
from trainscape.figures.articles.names import article_figures, article_tables, check_figures
from trainscape.figures.names import Figure, range_figures, result_figures, timing_figures
from trainscape.hashing import SHORT, sha256
from trainscape.results.cell_files import check_claim
from trainscape.search.rounds import packages, read_round, round_files, stand_ins, standing
from trainscape.study.values import WORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from trainscape.cells.cell import Cell
    from trainscape.study import Study

DATA = Path("data")
STAGES = (
    *("data", "train", "throughput", "replay", "collect", "ranges", "figures", "timings"),
    "report",
)
STEP = 32  # examples whose arithmetic takes as long as a step's overhead
# The source behind each stage's products; what these import counts too.
SOURCES = {
    "train": (),
    "replay": ("search/replay.py", "analysis/__init__.py"),
    "collect": ("analysis/__init__.py",),
    "ranges": ("analysis/__init__.py",),
    "figures": ("figures/draw.py", "figures/ranges.py"),
    "timings": ("figures/draw.py",),
    "report": ("report/__init__.py",),
}
# Behind the article figures, for studies that ask for any.
ARTICLES = ("figures/articles/draw.py", "engine/landscape.py")


def data_stamp(dataset: str) -> Path:
    """The file whose presence says that ``data/<dataset>.npz`` holds the pinned content."""
    return DATA / ".made" / f"{dataset}-{datasets.registry.get(dataset).sha256[:SHORT]}"


class Layout:
    """The files of a study.

    Args:
        study: the study; its grid is checked here.

    Raises:
        UserError: the study is not valid, or its output folder is another study's.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.output = Path(study.output)
        self.grid = grid.cells(study)
        parts = self.output.parts
        if not parts or parts[0] == str(DATA) or not all(map(WORD.fullmatch, parts)):
            raise UserError(
                f"output: {study.output!r} is no folder inside the project; choose letters, "
                "digits, '.', '_' and '-', such as 'results'"
            )
        check_figures(study)
        self.products("figures"), self.products("timings")  # labels must not meet in a file name
        check_claim(self.output, study.name)

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Every cell of the grid by its file, in the order of the grid."""
        return {str(self.output / "cells" / cell.path(digest(cell))): cell for cell in self.grid}

    @cached_property
    def range_tests(self) -> dict[str, Cell]:
        """Every learning-rate range test by its file; none if the study wants none."""
        tests = range_tests.cells(self.grid, self.study.range_test)
        folder = self.output / range_tests.FOLDER
        return {str(folder / cell.path(digest(cell))): cell for cell in tests}

    @cached_property
    def trainable(self) -> dict[str, Cell]:
        """All that may be trained, by its file: the cells of the grid, then the range tests."""
        return {**self.cells, **self.range_tests}

    @cached_property
    def rounds(self) -> dict[str, list[str]]:
        """The files of a search's rounds in order, by workload; none where all cells train."""
        design = self.study.design
        return {} if design == "grid" else round_files(design, self.output, self.cells)

    def proposed(self, files: Iterable[str] | None = None) -> list[str]:
        """The files of the cells that rounds proposed, in this order; of the rounds there are."""
        every = (file for files in self.rounds.values() for file in files)
        there = [Path(file) for file in files or every if Path(file).exists()]
        return [path for file in there for path in read_round(file, self.cells)]

    @property
    def chosen(self) -> dict[str, Cell]:
        """The cells that are trained, by file, in grid order; of a search, as far as proposed."""
        if not self.rounds:
            return self.cells
        proposed = set(self.proposed())
        return {path: cell for path, cell in self.cells.items() if path in proposed}

    @property
    def trained(self) -> dict[str, Cell]:
        """All that is trained, by its file: the chosen cells, then the range tests."""
        return {**self.chosen, **self.range_tests}

    @property
    def expected(self) -> dict[str, Cell]:
        """All that will be trained; others stand in for the cells yet to be proposed."""
        if self.study.design == "grid":
            return self.trained
        return {**stand_ins(self.study.design, self.cells, self.proposed()), **self.range_tests}

    def standing(self) -> str:
        """How far a search is, and how much of the grid it trains; empty for a grid."""
        if self.study.design == "grid":
            return ""
        return standing(self.study.design, self.cells, self.rounds, len(self.proposed()))

    def cost(self, path: str) -> int:
        """About how long the cell at ``path`` trains, in no unit: to share work out evenly.

        A step costs about as much as 32 examples, whatever its batch (measured on digits-mlp).
        """
        cell = self.trainable[path]
        return grid.plan(cell).total * len(cell.seeds) * (STEP + cell.batch_size)

    @property
    def gpu(self) -> bool:
        """Whether the study trains on a GPU here."""
        wanted = self.study.device
        return wanted == "cuda" or (wanted == "auto" and hardware.gpus() is not None)

    def dataset(self, workload: str) -> list[str]:
        """The file of the workload's dataset, and the stamp that says which content it holds."""
        name = workloads.registry.get(workload).dataset
        return [str(DATA / f"{name}.npz"), str(data_stamp(name))]

    @property
    def datasets(self) -> list[str]:
        """The names of all datasets."""
        return sorted({workloads.registry.get(name).dataset for name in self.study.workloads})

    @cached_property
    def throughput(self) -> str | None:
        """The file of the step times on this machine; None if the study measures none."""
        if not self.study.throughput.enabled:
            return None
        from trainscape.throughput import path

        return str(self.output / path(self.study, self.grid))

    def products(self, stage: str) -> list[str]:
        """What a stage makes, its stamp apart.

        Raises:
            UserError: there is no such stage.
        """
        if stage not in STAGES:
            raise unknown("stage", stage, STAGES)
        made: dict[str, Callable[[], list[str]]] = {
            "data": lambda: [file for w in self.study.workloads for file in self.dataset(w)],
            "train": lambda: [
                *([file for files in self.rounds.values() for file in files] or self.cells),
                *self.range_tests,
            ],
            "throughput": lambda: [self.throughput] if self.throughput else [],
            "replay": lambda: (
                self._files("replay/replay.csv", "replay/replay.json")
                if self.study.replay.enabled
                else []
            ),
            "collect": lambda: self._files("summary.csv", "trials.csv", "metrics.json"),
            "ranges": lambda: self._files("range.csv", "range.json"),
            "figures": lambda: [*self.figures(times=False), *self.article_tables(times=False)],
            "timings": lambda: [
                *self._files("timings.csv", "timings.json"),
                *self.figures(times=True),
                *self.article_tables(times=True),
            ],
            "report": lambda: self._files("report.html"),
        }
        return made[stage]()

    def figures(self, times: bool) -> dict[str, Figure]:
        """The figures by their files: those that hold seconds, or those that don't."""
        axes = self.labels
        ranked = self.study.validation > 0
        if times and not self.throughput:
            drawn = []
        elif times:
            drawn = timing_figures(*axes, validation=ranked)
        else:
            replay, search = self.study.replay.enabled, bool(self.rounds)
            drawn = result_figures(*axes, replay=replay, search=search) if ranked else []
            drawn += range_figures(*axes[:2]) if self.range_tests else []
            drawn += article_figures(self.study.figures, *axes)
        return {str(self.output / "figures" / figure.path): figure for figure in drawn}

    def article_tables(self, times: bool) -> list[str]:
        """The tables beside the article figures: those that hold seconds, or those that don't."""
        paths = article_tables(self.study.figures, self.study.workloads, times=times)
        return [str(self.output / "figures" / path) for path in paths]

    @property
    def labels(self) -> tuple[list[str], list[str], list[str]]:
        """The workloads, optimizers and schedules, in the study's order."""
        return (
            list(self.study.workloads),
            list(dict.fromkeys(cell.optimizer.label for cell in self.grid)),
            list(dict.fromkeys(cell.schedule.label for cell in self.grid)),
        )

    def stamp(self, stage: str) -> str:
        """The file whose presence says that a stage's products are those of this study."""
        return str(self.output / ".made" / stage / self._stage_digest(stage)[:SHORT])

    def targets(self, *stages: str) -> list[str]:
        """All that stages make: products and stamps, each file once; some studies skip a stage."""
        files: list[str] = []
        for stage in stages:
            files += self.products(stage)
            files += [self.stamp(stage)] if stage in self.stamped else []
        return list(dict.fromkeys(files))

    @property
    def stamped(self) -> list[str]:
        """The stages of this study that have a stamp."""
        return [stage for stage in SOURCES if stage != "replay" or self.study.replay.enabled]

    def _stage_digest(self, stage: str) -> str:
        """What decides a stage's products, as one digest."""
        files = [source.PACKAGE / file for file in SOURCES[stage]]
        parts: dict[str, object] = {"source": source.closure(files)}
        if stage == "report":
            assets = sorted(
                p for p in files[0].parent.iterdir() if p.suffix in (".j2", ".css", ".js")
            )
            parts["assets"] = {p.name: p.read_text(encoding="utf-8") for p in assets}
            parts["study"] = self.study.model_dump(mode="json")
            before = ("replay", "collect", "ranges", "figures", "timings")
            parts["from"] = [self._stage_digest(s) for s in before if s in self.stamped]
        else:
            parts["cells"] = list(self.trainable)
            parts["rounds"] = self.rounds
            parts["targets"] = grid.targets(self.study)
            parts["throughput"] = self.throughput if stage == "timings" else None
        if stage in ("figures", "timings") and self.study.figures:
            drawn = source.closure(source.PACKAGE / file for file in ARTICLES)
            parts["articles"] = {"figures": self.study.figures, "source": drawn}
        if stage == "replay":
            parts["replay"] = self.study.replay.model_dump()
            parts["packages"] = packages()
        if stage == "figures" and "replay" in self.stamped:
            parts["replay"] = self._stage_digest("replay")
        return sha256(parts)

    def _files(self, *names: str) -> list[str]:
        return [str(self.output / name) for name in names]
