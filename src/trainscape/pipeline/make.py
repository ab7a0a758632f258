"""Make a stage's products from the files of the stages before it: the work behind the rules.

Heavy libraries are imported by the stage that needs them: a cell trains without pandas, and the
report is written without torch.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import __version__, datasets
from trainscape.cells import grid
from trainscape.cells.identity import digest, identity
from trainscape.errors import Failures, UserError
from trainscape.figures.names import TIMED
from trainscape.files import remove_left_behind, sweep, write_json, write_text
from trainscape.hardware import torch_version
from trainscape.hashing import SHORT, canonical, file_sha256, sha256
from trainscape.pipeline import articles
from trainscape.pipeline.layout import DATA, Layout, data_stamp
from trainscape.results.attic import prune_cells, restore
from trainscape.results.cell_files import CellRecord, claim, read_cell, write_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.analysis import Entry, Replayed, Searched
    from trainscape.cells.cell import Cell, TrialRecord

    Tell = Callable[[str, str], None]

# Folders that dvc.yaml names, and in which not every study has anything.
VERSIONED = ("range", "search", "throughput", "replay", ".made/replay")
LIBRARIES = ("torch", "numpy", "pandas", "seaborn", "snakemake", "dvc")


def data(layout: Layout, names: Sequence[str], source: Path | None, mirror: str | None) -> None:
    """Make datasets, by default the study's; damaged ones are replaced.

    Args:
        layout: the study, whose plugins may bring datasets.
        names: the datasets.
        source: a folder that holds the raw files, if they are not to be downloaded.
        mirror: a URL to download from instead of the public ones.
    """
    remove_left_behind(DATA.glob(".*.tmp"))
    for name in names or layout.datasets:
        print(datasets.prepare(name, DATA, DATA / "raw", source, mirror))
        stamp = data_stamp(name)
        sweep(stamp.parent, f"{name}-{SHORT * '?'}", keep=[stamp])
        write_text(stamp, "")


def train(layout: Layout, paths: Sequence[str], tell: Tell = lambda _, text: say(text)) -> None:
    """Train the cells that are to lie at ``paths``, or bring them back from the attic.

    Args:
        layout: the study.
        paths: files of its cells.
        tell: is called with a cell's file and what becomes of it.

    Raises:
        UserError: a path is no cell of the study, the data is damaged, or cells cannot be trained,
            when all others are.
    """
    claim(layout.output, layout.study.name)
    for path in paths:
        if path not in layout.trainable:
            raise UserError(
                f"{path}: is no cell of study {layout.study.name!r}; 'trainscape cells' lists them"
            )
    todo = []
    for path in paths:
        kept = restore(layout, Path(path))
        if kept:
            tell(path, f"restored {path} from {kept}")
        else:
            todo.append(path)
    failures = Failures()
    for _, pack in groupby(
        sorted(todo, key=lambda p: _pack(layout.trainable[p])), lambda p: _pack(layout.trainable[p])
    ):
        with failures.collecting():
            _train_pack(layout, list(pack), tell)
    failures.tell()


def train_jobs(layout: Layout, file: Path) -> None:
    """Train the cells of the fuse executor's list, each with a log of its own.

    Args:
        layout: the study.
        file: a JSON object a line, with the files of one job: ``output`` and ``log``.
    """
    jobs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    logs = {job["output"][0]: job["log"] for job in jobs}

    def tell(path: str, text: str) -> None:
        say(text)
        for log in logs[path]:
            write_text(Path(log), text + "\n")

    train(layout, list(logs), tell)


def settle(layout: Layout) -> None:
    """Say that all cells are there; move those that left the study to the attic."""
    prune_cells(layout)
    for folder in VERSIONED:
        (layout.output / folder).mkdir(parents=True, exist_ok=True)
    rounds = [Path(file) for files in layout.rounds.values() for file in files]
    sweep(layout.output / "search", "*.json", keep=rounds)
    _stamp(layout, "train")


def collect(layout: Layout) -> None:
    """Write the tables that training alone decides."""
    from trainscape import analysis

    trials = analysis.trials(entries(layout), grid.targets(layout.study))
    summary = analysis.summary(trials)
    analysis.write_csv(trials, layout.output / "trials.csv")
    analysis.write_csv(summary, layout.output / "summary.csv")
    write_json(layout.output / "metrics.json", analysis.metrics(summary))
    _stamp(layout, "collect")


def replay(layout: Layout, cores: int) -> None:
    """Simulate searches on the finished grid.

    Args:
        layout: the study.
        cores: how many processes to use.
    """
    from trainscape import analysis
    from trainscape.search import Combination, Space
    from trainscape.search.replay import Finished, simulate_all

    summary = analysis.summary(analysis.trials(entries(layout), grid.targets(layout.study)))
    grids = {}
    for rows in analysis.grouped(analysis.records(summary), ("workload",)):
        space = Space.of([Combination(*(row[axis] for axis in analysis.AXES[1:])) for row in rows])
        name = rows[0]["workload"]
        values = [row["val_metric_mean"] for row in rows]
        grids[name] = Finished(space, analysis.metric(name).direction, values)
    wanted = layout.study.replay
    orders = simulate_all(grids, wanted.runs, wanted.cells, cores)
    table = analysis.replay(summary, orders, wanted.margin)
    analysis.write_csv(table, layout.output / "replay" / "replay.csv")
    write_json(layout.output / "replay" / "replay.json", analysis.needed(table))
    _stamp(layout, "replay")


def ranges(layout: Layout) -> None:
    """Write what the learning-rate range tests suggest, beside the grid's own best rates."""
    from trainscape import analysis

    cells = entries(layout) if layout.range_tests else []
    summary = analysis.summary(analysis.trials(cells, grid.targets(layout.study)))
    tests = analysis.range_tests(range_entries(layout), summary)
    analysis.write_csv(tests, layout.output / "range.csv")
    write_json(layout.output / "range.json", analysis.range_metrics(tests))
    _stamp(layout, "ranges")


def figures(layout: Layout) -> None:
    """Draw the figures that training alone decides."""
    from trainscape import analysis
    from trainscape.figures.draw import draw_results
    from trainscape.figures.ranges import draw_ranges

    found = entries(layout)
    trials = analysis.trials(found, grid.targets(layout.study))
    folder = layout.output / "figures"
    summary, curves = analysis.summary(trials), analysis.curves(found)
    draw_results(trials, summary, curves, folder, _replayed(layout), _searched(layout))
    tests = range_entries(layout)
    tested = {test.record.digest[:SHORT]: analysis.range_curve(test) for test in tests}
    draw_ranges(analysis.range_tests(tests, summary), tested, folder)
    articles.draw(layout, found)
    _tidy(layout, "figures")
    _stamp(layout, "figures")


def _tidy(layout: Layout, stage: str) -> None:
    """Remove figures and tables that left the study, of a stage's kinds: another may be drawing."""
    keep = set(map(Path, layout.products(stage)))
    for folder in (layout.output / "figures").glob("*/*"):
        if (folder.name in TIMED) == (stage == "timings"):
            sweep(folder, "*.*", keep)
            for empty in (folder, folder.parent):
                with suppress(OSError):  # it is not
                    empty.rmdir()


def throughput(layout: Layout) -> None:
    """Measure step times on this machine.

    Raises:
        UserError: the study measures none.
    """
    from trainscape.throughput import measure

    if layout.throughput is None:
        raise UserError("throughput.enabled: is false; set it to true to measure")
    path = Path(layout.throughput)
    measure(layout.study, layout.grid, DATA, path)
    sha = path.stem.split("-")[-1]
    sweep(path.parent, "*.json", keep=path.parent.glob(f"*-{sha}.json"))


def timings(layout: Layout) -> None:
    """Write the tables and figures that hold seconds."""
    from trainscape import analysis

    trials = analysis.trials(entries(layout), grid.targets(layout.study))
    summary = analysis.summary(trials)
    table, tree = analysis.timings(_throughput_records(layout), summary)
    analysis.write_csv(table, layout.output / "timings.csv")
    write_json(layout.output / "timings.json", tree)
    if layout.throughput:
        from trainscape.figures.draw import draw_timings

        folder = layout.output / "figures"
        draw_timings(trials, summary, table, folder, _searched(layout))
    articles.write_times(layout, trials, summary, table)
    _tidy(layout, "timings")
    _stamp(layout, "timings")


def report(layout: Layout) -> None:
    """Write the report from the tables and figures of the stages before it."""
    from trainscape import analysis
    from trainscape.report import write

    out = layout.output
    summary, trials, timings = (
        analysis.read_csv(out / f"{name}.csv") for name in ("summary", "trials", "timings")
    )
    write(
        layout.study.model_dump(mode="json", exclude_none=True),
        summary,
        trials,
        timings if layout.throughput else None,
        out / "figures",
        _provenance(layout),
        out / "report.html",
        _replayed(layout),
        analysis.read_csv(out / "range.csv"),
        _searched(layout),
    )
    remove_left_behind(out.glob(".*.tmp"))
    _stamp(layout, "report")


def _replayed(layout: Layout) -> Replayed | None:
    """What the simulated searches came to; None if the study has none."""
    from trainscape import analysis

    if not layout.study.replay.enabled:
        return None
    table = analysis.read_csv(layout.output / "replay" / "replay.csv")
    return analysis.Replayed(table, layout.study.replay.margin)


def _searched(layout: Layout) -> Searched | None:
    """What was trained of the grid; None if all of it."""
    from trainscape import analysis

    design = layout.study.design
    if design == "grid":
        return None
    rounds = {
        workload: [[digest(layout.cells[p])[:SHORT] for p in layout.proposed([f])] for f in files]
        for workload, files in layout.rounds.items()
    }
    every = [analysis.axes(cell) for cell in layout.grid]
    return analysis.Searched(design.method, design.seed, every, rounds)


def entries(layout: Layout) -> list[Entry]:
    """Every cell of the study and what its file holds, checked.

    Raises:
        UserError: names the first file that is missing, damaged or edited.
    """
    return read_entries(layout, list(layout.chosen))


def range_entries(layout: Layout) -> list[Entry]:
    """Every learning-rate range test and what its file holds; raises as :func:`entries` does."""
    return read_entries(layout, list(layout.range_tests))


def read_entries(layout: Layout, paths: Sequence[str]) -> list[Entry]:
    """What may be trained at ``paths`` and what its files hold, checked."""
    from trainscape.analysis import Entry

    cells = [(path, layout.trainable[path]) for path in paths]
    return [Entry(cell, read_cell(Path(path), digest(cell))) for path, cell in cells]


def _pack(cell: Cell) -> tuple[str, int, str]:
    """What cells must share to train as one pack, to sort and to tell apart by."""
    plan = {
        "budget": dict(cell.budget),
        "evaluate_every": cell.evaluate_every,
        "trace_every": cell.trace_every,
    }
    return cell.workload, cell.batch_size, canonical(plan)


def _train_pack(layout: Layout, paths: list[str], tell: Tell) -> None:
    from trainscape import workloads
    from trainscape.engine import device
    from trainscape.engine.run import train_cells

    cells = [layout.trainable[path] for path in paths]
    chosen = device.choose(layout.study.device, layout.study.precision)
    arrays = datasets.load(workloads.registry.get(cells[0].workload).dataset, DATA)
    steps = grid.plan(cells[0]).evaluations
    for path, cell in zip(paths, cells, strict=True):
        tell(path, f"training {cell}, seeds {', '.join(map(str, cell.seeds))}")

    def keep(i: int, trials: list[TrialRecord], backend: str) -> None:
        cell = cells[i]
        record = CellRecord(digest(cell), backend, cell.spec(), identity(cell), steps, trials)
        write_cell(Path(paths[i]), record)

    def progress(done: int, total: int) -> None:
        say(f"step {done} of {total}, {len(cells)} cells of batch size {cells[0].batch_size}")

    train_cells([cell.spec() for cell in cells], arrays, chosen, progress, keep)


def say(text: str) -> None:
    """A line on stdout, at once."""
    print(text, flush=True)


def _stamp(layout: Layout, stage: str) -> None:
    """Say that the stage's products are those of the study: last, when they are all written."""
    stamp = Path(layout.stamp(stage))
    made = [] if stage == "train" else layout.products(stage)  # cells hold their own checksums
    write_json(stamp, {path: file_sha256(Path(path)) for path in made})
    sweep(stamp.parent, "*", keep=[stamp])


def _throughput_records(layout: Layout) -> list[dict[str, object]]:
    """The step times measured on this machine, if any."""
    path = layout.throughput
    if path is None or not Path(path).exists():
        return []
    return [json.loads(Path(path).read_text(encoding="utf-8"))]


def _provenance(layout: Layout) -> dict[str, object]:
    """What the results were made from and with; no clock and no commit (``trainscape which``)."""
    found = entries(layout)
    tree = json.loads((layout.output / "timings.json").read_text(encoding="utf-8"))
    versions = {name: version(name) for name in LIBRARIES}
    versions["torch"] = torch_version()
    versions["trainscape"] = __version__
    versions["python"] = ".".join(map(str, sys.version_info[:2]))
    return {
        "study digest": sha256(layout.study.model_dump(mode="json"))[:SHORT],
        "environment digest": sha256(versions)[:SHORT],
        "data digests": {e.cell.workload: e.record.identity["data"][:SHORT] for e in found},
        "backend": ", ".join(sorted({e.record.backend for e in found})),
        "seeds": ", ".join(map(str, layout.study.seed_list())),
        "versions": versions,
        "hardware": tree.get("hardware"),
        "load": tree.get("load"),
    }
