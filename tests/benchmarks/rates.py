"""The engine alone: model-steps a second by workload, batch size and pack width, on one thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import ceilings, clock, jax_peer, jax_rival, workers
from benchmarks.jax_peer import PeerError
from benchmarks.jax_rival import Rival
from benchmarks.output import Result, Table
from benchmarks.steps import COLUMNS, Case, EagerStepper, Stepper, needs, row
from trainscape.engine import device

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path

    from benchmarks.ceilings import Ceilings
    from benchmarks.clock import Times
    from benchmarks.sizes import Sizes

EAGER, JAX = 0, -1  # the widths that stand for the eager loop and for the rival
FULL = (
    *(
        Case("digits-mlp", name, size, 128)
        for name in ("momentum", "adam")
        for size in (16, 64, 256)
    ),
    *(Case("digits-cnn", "momentum", size, 64) for size in (16, 64)),
    *(Case("mnist-mlp", name, 64, 128) for name in ("momentum", "adam")),
    *(Case("mnist-mlp", "momentum", size, 64) for size in (16, 256)),
    *(Case("mnist-cnn", "adam", size, 16) for size in (16, 64)),
)
QUICK = (Case("digits-mlp", "momentum", 16, 8), Case("digits-cnn", "adam", 16, 2))


def run(sizes: Sizes, folder: Path) -> Result:
    """Every case, beside the eager loop, JAX and the machine's ceilings."""
    rows: list[dict[str, Any]] = []
    rivals: list[dict[str, Any]] = []
    without = jax_peer.missing()
    if without:
        print(f"engine: {without}", flush=True)
    with workers.processes(1) as plain:  # torch as it comes, but for the thread
        limits = plain.submit(
            ceilings.measure, sizes.product, sizes.copies, sizes.rounds, sizes.block
        ).result()
        cpu = device.choose("cpu")
        for i, case in enumerate(QUICK if sizes.quick else FULL):
            print(f"engine: {case}", flush=True)
            place = None if without else folder / f"jax-{i}"
            found, rival = _rows(case, sizes, plain, limits, cpu, place)
            rows += found
            rivals += rival
    return Result(
        "engine",
        "The engine, one thread",
        "make bench ONLY=engine",
        sizes.name,
        {"ceilings": limits.plain(), "rows": rows, "jax": rivals},
        [
            Table(COLUMNS if without else {**COLUMNS, "ratio_jax": "× JAX"}, rows),
            *([] if without else [jax_rival.table(rivals)]),
            ceilings.table(limits),
        ],
        [
            "A step of a pack trains each of its trials on one batch; a model-step is one trial's. "
            "Widths and the eager loop take turns; medians of "
            f"{sizes.rounds} blocks of {sizes.block:g} s.",
            "The eager loop (torch.optim's fastest implementation, batches in memory) and the "
            "ceilings run in a process with torch's own settings, on one thread as well.",
            "Floors as in tests/benchmarks/floors.py: the arithmetic of the layers' products at "
            "the rate of a large product; every tensor of a step once in and once out, at the rate "
            "of a copy that moves as much. Synthetic images.",
            *([without] if without else jax_rival.NOTES),
        ],
    )


def _rows(
    case: Case,
    sizes: Sizes,
    plain: ProcessPoolExecutor,
    limits: Ceilings,
    cpu: torch.device,
    folder: Path | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for every width, and one on the rival if it has a folder for its files."""
    widths = [width for width in sizes.widths if width <= case.widest]
    works: dict[int, Callable[[int], float]] = {w: Stepper(case, w, cpu) for w in widths}
    works[EAGER] = partial(_elsewhere, plain, case)
    least = needs(case)
    theirs: Times | None = None
    if folder is None:
        times = clock.in_turns(works, sizes.rounds, sizes.block)
        return [row(case, w, times[w], times[EAGER], least, limits, "fp32") for w in widths], []
    try:
        with Rival(case, folder, cpu, least, sizes.block) as rival:
            times = clock.in_turns({**works, JAX: rival}, sizes.rounds, sizes.block)
            found = rival.per_step(times[JAX])
            theirs, said = found, rival.said(found)
    except PeerError as error:
        times = clock.in_turns(works, sizes.rounds, sizes.block)
        said = {"way": str(error)}
    rows = [
        {
            **row(case, w, times[w], times[EAGER], least, limits, "fp32"),
            "ratio_jax": w * theirs.median / times[w].median if theirs else None,
        }
        for w in widths
    ]
    return rows, [jax_rival.beside(rows, said, least, limits)]


def _elsewhere(plain: ProcessPoolExecutor, case: Case, count: int) -> float:
    return plain.submit(_eager_steps, case, count).result()


_LOOPS: dict[Case, EagerStepper] = {}  # of the process that runs eager loops


def _eager_steps(case: Case, count: int) -> float:
    if case not in _LOOPS:
        _LOOPS.clear()
        _LOOPS[case] = EagerStepper(case, torch.device("cpu"))
    return _LOOPS[case](count)
