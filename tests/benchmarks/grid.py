"""The same cells, seeds and epochs trained in several ways, in one run, side by side."""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import jax_grid, jax_peer, projects, workers
from benchmarks.eager import Outcome
from benchmarks.output import Result, Table
from benchmarks.sample import by_steps, stratified
from trainscape import hardware, study
from trainscape.cells import grid
from trainscape.cells.identity import digest
from trainscape.results.cell_files import read_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.sizes import Sizes
    from benchmarks.workers import Job
    from kit.project import Project

NAMED = 8  # trials that a page names; the JSON has them all
TOLERANCE = 1e-2  # of the final validation loss, and of losses above 1 in relation to them
COLUMNS = {
    "way": "way",
    "seconds": "seconds for the grid",
    "how": "",
    "ratio": "× ours, training",
    "ratio_whole": "× ours, to the report",
    "sample": "sample",
}


@dataclass(frozen=True)
class Way:
    """One way to train the grid.

    Args:
        way: what it is.
        seconds: for the whole grid; None if it could not be run.
        how: ``measured`` or ``extrapolated``, or why it was skipped.
        sample: what was run.
    """

    way: str
    seconds: float | None
    how: str
    sample: str


class Grid:
    """A study in a scratch project, and ways to train it.

    Args:
        folder: for scratch projects, not there yet.
        raw: the study, as a parameter file holds it.
    """

    def __init__(self, folder: Path, raw: dict[str, Any]) -> None:
        self.folder, self.raw = folder, raw
        self.study = study.parse(raw, "benchmark")
        self.cells = grid.cells(self.study)
        cells = Path(self.study.output, "cells")
        self.paths = {str(cells / cell.path(digest(cell))): cell for cell in self.cells}
        self.jobs: list[Job] = [(c.spec(), seed) for c in self.cells for seed in c.seeds]
        self.steps = {c.batch_size: grid.plan(c).total for c in self.cells}
        self.cores = len(hardware.usable_cores())
        self.data: Path | None = None
        self.compiled = Path()  # by the first of our ways
        self.variants: dict[str, str] = {}  # of torch.optim's rules, the fastest
        self.at_once: dict[str, int] = {}  # models that JAX's vmap held, by batch size

    def project(self, name: str, beforehand: bool = True) -> Project:
        """A fresh scratch project of the study, its data there.

        Args:
            name: of its folder.
            beforehand: whether all that the first one compiled is there, too.
        """
        made = projects.fresh(self.folder / name, self.raw)
        if self.data is None:
            projects.snakemake(made, *projects.targets(made, "data"))
            self.data = made / "data"
        else:
            shutil.copytree(self.data, made / "data")
        if beforehand:
            shutil.copytree(self.compiled, projects.compiled(made))
        return made

    def ours(self, whole: bool) -> tuple[list[Way], Project]:
        """The default profile: training alone, twice; and all from nothing in another project."""
        first = self.project("ours", beforehand=False)
        cold = self._trained(first)
        self.compiled = projects.compiled(first)
        ways = [
            self.training("ours-compiled"),
            replace(cold, way="ours: the same with its compile time"),
        ]
        if whole:
            clean = projects.fresh(self.folder / "ours-whole", self.raw)
            measured = " with step times" if self.study.throughput.enabled else ""
            name = f"ours: data to report{measured}, nothing compiled before"
            ways.append(replace(cold, way=name, seconds=projects.snakemake(clean)))
        return ways, first

    def training(self, name: str) -> Way:
        """The default profile trains the grid in a project of that name."""
        return self._trained(self.project(name))

    def _trained(self, project: Project) -> Way:
        seconds = projects.snakemake(project, *projects.targets(project, "train"))
        said = f"all {len(self.cells)} cells"
        return Way("ours: training, compiled beforehand", seconds, "measured", said)

    def one_process_each(self, each: int) -> Way:
        """The local executor on a sample of the cells, scaled up by their number."""
        project = self.project("local")
        sample = stratified(list(self.paths), lambda p: self.paths[p].batch_size, each)
        words = ("--executor", "local", *sample)
        busy = projects.snakemake(project, *words)
        idle = projects.snakemake(project, *words)
        total = idle + (busy - idle) * len(self.cells) / len(sample)
        how = "measured" if len(sample) == len(self.cells) else "extrapolated"
        said = f"{len(sample)} of {len(self.cells)} cells, {each} a batch size"
        return Way("one process per cell, local executor", total, how, said)

    def plain(self, each: int, data: Path) -> tuple[list[Way], list[tuple[Job, Outcome]]]:
        """The eager loop in one process per core on a sample of the trials, and under Optuna."""
        sample = stratified(self.jobs, _batch, each)
        with workers.processes() as pool:
            outcomes, self.variants = workers.eager_trials(pool, sample, data)
            startup = sum(o.startup for o in outcomes) / len(outcomes)
            serial = self._whole(sample, outcomes)
            name = "eager torch.optim, one process per core"
            ways = [self._way(name, startup + serial / self.cores, sample, each)]
            name = "Optuna GridSampler over the eager loop, one study per core"
            if find_spec("optuna") is None:
                ways.append(Way(name, None, "skipped: optuna is not installed", ""))
            else:
                made, beside = workers.optuna_trials(pool, sample, data, self.variants)
                serial = self._whole(sample, made) + beside * len(self.jobs)
                ways.append(self._way(name, startup + serial / self.cores, sample, each))
        return ways, list(zip(sample, outcomes, strict=True))

    def script(self, each: int, data: Path) -> Way:
        """The articles' script, one trial after the other, with torch's own threads."""
        name = "the articles' script: DataLoader, transforms per example"
        if find_spec("torchvision") is None:
            return Way(name, None, "skipped: torchvision is not installed", "")
        sample = stratified(self.jobs, _batch, each)
        with workers.processes(1, threads=None) as pool:
            outcomes = workers.script_trials(pool, sample, data)
        return self._way(name, self._whole(sample, outcomes), sample, each)

    def jax(self, each: int, data: Path) -> tuple[list[Way], list[tuple[Job, Outcome]]]:
        """JAX in one process per core; of what it made, the sample that the eager loop trains."""
        name = "JAX: jit(vmap(scan)), one process per core, compiled beforehand"
        why = jax_peer.missing() or jax_grid.refused(self.jobs)
        if why:
            return [Way(name, None, f"skipped: {why}", "")], []
        found = jax_grid.train(self.jobs, data, self.folder / "jax")
        self.at_once = {str(size): count for size, count in found.at_once.items()}
        said = f"all {len(self.jobs)} trials"
        seconds = found.start + found.run
        whole = seconds + found.compile
        ways = [
            Way(name, seconds, "measured", said),
            Way("JAX: the same with its compile time", whole, "measured", said),
        ]
        sample = stratified(range(len(self.jobs)), lambda i: _batch(self.jobs[i]), each)
        pairs = [(self.jobs[i], found.losses[i]) for i in sample]
        return ways, [(job, Outcome(self.steps[_batch(job)], 0.0, loss)) for job, loss in pairs]

    def agreement(self, project: Project, eager: Sequence[tuple[Job, Outcome]]) -> dict[str, Any]:
        """Whether final validation losses of the sampled trials are those of our cells."""
        rows = []
        for (spec, seed), outcome in eager:
            path, cell = next(p for p in self.paths.items() if p[1].spec() == spec)
            record = read_cell(project / path)
            trial = next(t for t in record.trials if t.seed == seed)
            ours = trial.val_loss[-1] if trial.status == "ok" and trial.val_loss else None
            rows.append(_compared(f"{cell}, seed {seed}", ours, outcome.val_loss))
        apart = [row["difference"] for row in rows if row["difference"] is not None]
        return {
            "trials": len(rows),
            "agree": sum(row["agree"] for row in rows),
            "tolerance": TOLERANCE,
            "largest_difference": max(apart, default=None),
            "disagreeing": [row for row in rows if not row["agree"]],
        }

    def _whole(self, sample: Sequence[Job], outcomes: Sequence[Outcome]) -> float:
        pairs = zip(sample, outcomes, strict=True)
        return by_steps([(_batch(job), o.steps, o.seconds) for job, o in pairs], self._all())

    def _all(self) -> list[tuple[int, int]]:
        return [(_batch(job), self.steps[_batch(job)]) for job in self.jobs]

    def _way(self, name: str, seconds: float, sample: Sequence[Job], each: int) -> Way:
        how = "measured" if len(sample) == len(self.jobs) else "extrapolated"
        return Way(
            name, seconds, how, f"{len(sample)} of {len(self.jobs)} trials, {each} a batch size"
        )


def run(sizes: Sizes, folder: Path) -> Result:
    """The study in params.yaml, with one split and without finalists, in every way."""
    # the other ways know one split, and nothing of finalists
    raw = {**projects.default_study(), "split": "fixed", "confirm": False}
    if sizes.quick:
        raw = small(raw)
    of = Grid(folder, raw)
    ways, project = of.ours(whole=not sizes.quick)
    data = project / "data"
    ways.append(of.one_process_each(sizes.cells))
    plain, outcomes = of.plain(sizes.trials, data)
    rival, theirs = of.jax(sizes.trials, data)
    ways += [*plain, *rival, of.script(sizes.scripts, data)]
    if not sizes.quick:
        ways.append(of.training("again"))  # did the machine stay as fast?
    rows = compared(ways)
    agreement, agreement_jax = (of.agreement(project, made) for made in (outcomes, theirs))
    return Result(
        "grid",
        "The same grid, several ways",
        "make bench ONLY=grid",
        sizes.name,
        {
            "study": raw,
            "cells": len(of.cells),
            "trials": len(of.jobs),
            "steps_per_trial": {str(batch): steps for batch, steps in of.steps.items()},
            "rows": rows,
            "agreement": agreement,
            "agreement_jax": agreement_jax,
            "variants": of.variants,
            "jax_at_once": of.at_once,
        },
        [Table(COLUMNS, rows)],
        [
            f"{len(of.cells)} cells, {len(of.jobs)} trials; steps a trial by batch size: "
            + ", ".join(f"{batch}: {steps:,}" for batch, steps in of.steps.items()),
            "Samples are random with as many cells or trials from every batch size (fixed seed). "
            "Cells are extrapolated by their number, less the time of a run with nothing to do; "
            "trials by the steps of their batch size. The ways with one process per core are "
            "taken to share work perfectly.",
            "The ratios are to our way in the first line; its run at the end shows how far the "
            "machine drifted.",
            f"Eager: {sentence(agreement)}",
            *([f"JAX: {sentence(agreement_jax)}", vmapped(of.at_once)] if theirs else []),
            "torch.optim's fastest implementation by optimizer: "
            + ", ".join(f"{name} {variant}" for name, variant in sorted(of.variants.items())),
        ],
    )


def compared(ways: Sequence[Way]) -> list[dict[str, Any]]:
    """The ways as rows, each with its ratios to ours."""
    training = ways[0].seconds
    whole = next((w.seconds for w in ways if w.way.startswith("ours: data")), None)
    return [
        {
            **asdict(way),
            "ratio": _ratio(way.seconds, training),
            "ratio_whole": _ratio(way.seconds, whole),
        }
        for way in ways
    ]


def small(raw: dict[str, Any]) -> dict[str, Any]:
    """The study in a size of seconds."""
    axes = {
        "optimizer": ["sgd", "adam"],
        "batch_size": [64, 256],
        "lr": [0.01],
        "schedule": ["constant"],
    }
    changes = {"budget": {"epochs": 2}, "seeds": 2, "throughput": {"enabled": False}}
    return {**raw, **changes, "grid": axes}


def vmapped(at_once: dict[str, int]) -> str:
    """How JAX trained the grid, for people."""
    held = ", ".join(
        f"{size}: {'lax.map' if count == 1 else f'vmap over {count}'}"
        for size, count in at_once.items()
    )
    return (
        "JAX trains all trials of an optimizer and batch size by one program "
        "(tests/benchmarks/jax_program.py), raced beforehand, on one core with one thread; by "
        f"batch size, {held}. Its start counts, and so does what it writes."
    )


def sentence(agreement: dict[str, Any]) -> str:
    """Whether the work was equal, for people."""
    said = (
        f"Equal work: {agreement['agree']} of {agreement['trials']} sampled trials end at our "
        f"validation loss to {TOLERANCE:g}"
    )
    names = [row["trial"] for row in agreement["disagreeing"]]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{said}; not {', '.join(names[:NAMED])}{more}." if names else f"{said}."


def _compared(trial: str, ours: float | None, eager: float | None) -> dict[str, Any]:
    """Two final losses; both may be missing, for a trial that diverged."""
    row = {"trial": trial, "ours": ours, "eager": eager}
    if ours is None or eager is None:
        return {**row, "difference": None, "agree": ours is eager}
    apart = abs(ours - eager) / max(1.0, abs(ours))
    return {**row, "difference": apart, "agree": apart <= TOLERANCE}


def _ratio(seconds: float | None, to: float | None) -> float | None:
    ratio = seconds / to if seconds and to else math.nan
    return ratio if math.isfinite(ratio) else None


def _batch(job: Job) -> int:
    size: int = job[0]["batch_size"]
    return size
