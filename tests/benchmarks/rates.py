"""The engine alone: model-steps a second by workload, batch size and pack width, on one thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import ceilings, clock, workers
from benchmarks.output import Result, Table
from benchmarks.steps import COLUMNS, Case, EagerStepper, Stepper, needs, row
from trainscape.engine import device

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ProcessPoolExecutor
    from pathlib import Path

    from benchmarks.ceilings import Ceilings
    from benchmarks.sizes import Sizes

EAGER = 0  # the width that stands for the eager loop
FULL = (
    *(
        Case("digits-mlp", name, size, 128)
        for name in ("momentum", "adam")
        for size in (16, 64, 256)
    ),
    *(Case("digits-cnn", "momentum", size, 64) for size in (16, 64)),
    *(Case("mnist-mlp", name, 64, 128) for name in ("momentum", "adam")),
    *(Case("mnist-mlp", "momentum", size, 64) for size in (16, 256)),
    *(Case("mnist-cnn", "adam", size, 8) for size in (16, 64)),
)
QUICK = (Case("digits-mlp", "momentum", 16, 8), Case("digits-cnn", "adam", 16, 2))


def run(sizes: Sizes, folder: Path) -> Result:
    """Every case, beside the eager loop and the machine's ceilings."""
    del folder  # nothing is written on the way
    rows: list[dict[str, Any]] = []
    with workers.processes(1) as plain:  # torch as it comes, but for the thread
        limits = plain.submit(
            ceilings.measure, sizes.product, sizes.copies, sizes.rounds, sizes.block
        ).result()
        cpu = device.choose("cpu")
        for case in QUICK if sizes.quick else FULL:
            print(f"engine: {case}", flush=True)
            rows += _rows(case, sizes, plain, limits, cpu)
    return Result(
        "engine",
        "The engine, one thread",
        "make bench ONLY=engine",
        sizes.name,
        {"ceilings": limits.plain(), "rows": rows},
        [Table(COLUMNS, rows), ceilings.table(limits)],
        [
            "A step of a pack trains each of its trials on one batch; a model-step is one trial's. "
            "Widths and the eager loop take turns; medians of "
            f"{sizes.rounds} blocks of {sizes.block:g} s.",
            "The eager loop (torch.optim's fastest implementation, batches in memory) and the "
            "ceilings run in a process with torch's own settings, on one thread as well.",
            "Floors as in tests/benchmarks/floors.py: the arithmetic of the layers' products at "
            "the rate of a large product; every tensor of a step once in and once out, at the rate "
            "of a copy that moves as much. Synthetic images.",
        ],
    )


def _rows(
    case: Case, sizes: Sizes, plain: ProcessPoolExecutor, limits: Ceilings, cpu: torch.device
) -> list[dict[str, Any]]:
    widths = [width for width in sizes.widths if width <= case.widest]
    works: dict[int, Callable[[int], float]] = {w: Stepper(case, w, cpu) for w in widths}
    works[EAGER] = partial(_elsewhere, plain, case)
    times = clock.in_turns(works, sizes.rounds, sizes.block)
    least = needs(case)
    return [row(case, w, times[w], times[EAGER], least, limits, "fp32") for w in widths]


def _elsewhere(plain: ProcessPoolExecutor, case: Case, count: int) -> float:
    return plain.submit(_eager_steps, case, count).result()


_LOOPS: dict[Case, EagerStepper] = {}  # of the process that runs eager loops


def _eager_steps(case: Case, count: int) -> float:
    if case not in _LOOPS:
        _LOOPS.clear()
        _LOOPS[case] = EagerStepper(case, torch.device("cpu"))
    return _LOOPS[case](count)
