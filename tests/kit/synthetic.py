"""Made-up but lifelike studies: what training would leave, without training.

Accuracy falls off parabolically in log lr around each optimizer's best; batch size and schedule
move it; far above it seeds diverge. All noise comes from named generators, so that every process
makes the same study.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from trainscape.analysis import Entry
from trainscape.cells.cell import Cell, Part, TrialRecord
from trainscape.hashing import sha256
from trainscape.results.cell_files import CellRecord
from trainscape.workloads import Metric, Workload, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

IDENTITY = {"data": "d" * 64, "torch": "2.11.0", "source": "5" * 64}
PEAKS = {"sgd": 0.3, "momentum": 0.05, "adam": 0.004}
LRS = (0.001, 0.003, 0.01, 0.1, 1.0)
EPOCHS = 10
EXAMPLES = 1280


def cell(
    workload: str = "digits-mlp",
    optimizer: str = "adam",
    batch_size: int = 64,
    lr: float = 0.01,
    schedule: str = "constant",
    seeds: Sequence[int] = (0, 1, 2),
    validation: float = 0.1,
    label: str | None = None,
    epochs: int = EPOCHS,
) -> Cell:
    """A cell, with hyperparameters enough to differ by label."""
    return Cell(
        workload=workload,
        optimizer=Part(optimizer, {}, label or optimizer),
        batch_size=batch_size,
        lr=lr,
        schedule=Part(schedule, {}, schedule),
        seeds=tuple(seeds),
        budget={"epochs": epochs},
        validation=validation,
        evaluate_every=1.0,
        precision="fp32",
    )


def trial(
    seed: int,
    values: Sequence[float],
    diverged_at: int | None = None,
    *,
    validation: bool = True,
) -> TrialRecord:
    """A trial whose validation metric is ``values``; test is a little worse, losses follow."""
    return TrialRecord(
        seed=seed,
        status="ok" if diverged_at is None else "diverged",
        diverged_at=diverged_at,
        train_loss=[0.9 * (1.25 - value) for value in values],
        fit_loss=[1.24 - value for value in values[-1:]],
        fit_metric=[min(value + 0.0078125, 1.0) for value in values[-1:]],
        val_loss=[1.25 - value for value in values] if validation else [],
        val_metric=list(values) if validation else [],
        test_loss=[1.30 - value for value in values],
        test_metric=[value - 0.015625 for value in values],
    )


def entry(
    of: Cell, trials: Sequence[TrialRecord], steps: Sequence[int], backend: str = "cpu-avx2"
) -> Entry:
    """The cell with the record that training would leave."""
    record = CellRecord(
        of.digest(IDENTITY), backend, of.spec(), IDENTITY, list(steps), list(trials)
    )
    return Entry(of, record)


def study(
    workload: str = "digits-mlp",
    optimizers: Sequence[str] = tuple(PEAKS),
    batch_sizes: Sequence[int] = (16, 64, 256, 1024),
    lrs: Sequence[float] = LRS,
    schedules: Sequence[str] = ("constant", "cosine"),
    seeds: Sequence[int] = (0, 1, 2),
    validation: float = 0.1,
    backend: str = "cpu-avx2",
    epochs: int = EPOCHS,
) -> list[Entry]:
    """A whole grid in grid order, with diverged and censored trials in its corners."""
    cells = [
        cell(workload, o, b, lr, s, seeds, validation, epochs=epochs)
        for o in optimizers
        for b in batch_sizes
        for lr in lrs
        for s in schedules
    ]
    return [_trained(of, backend) for of in cells]


def _trained(of: Cell, backend: str) -> Entry:
    length = max(1, EXAMPLES // of.batch_size)
    steps = [length * (k + 1) for k in range(of.budget["epochs"])]
    return entry(of, [_run(of, seed, steps) for seed in of.seeds], steps, backend)


def _run(of: Cell, seed: int, steps: Sequence[int]) -> TrialRecord:
    noise = random.Random(f"{of} {seed}")
    shared = random.Random(f"seed {seed}").gauss(0, 0.004)  # common random numbers
    off = math.log10(of.lr / PEAKS[of.optimizer.name]) - 0.3 * math.log10(of.batch_size / 64)
    top = 0.985 - 0.05 * off**2 - (0.03 if off > 0 and of.schedule.label == "constant" else 0)
    diverged = off + noise.uniform(-0.25, 0.25) > 1.45
    values = [
        min(1.0, max(0.1, top - 0.85 * math.exp(-0.9 * k * 10 ** min(off, 0.3)) + shared))
        + noise.gauss(0, 0.003)
        for k in range(1, 1 + (2 if diverged else len(steps)))
    ]
    at = steps[1] + 3 if diverged else None
    return trial(seed, values, at, validation=of.validation > 0)


def throughput(entries: Sequence[Entry], *, too_high: bool = False) -> dict[str, Any]:
    """A throughput record over the entries' workloads, optimizers and batch sizes."""
    keys = dict.fromkeys(
        (e.cell.workload, e.cell.optimizer.label, e.cell.batch_size) for e in entries
    )
    return {
        "fingerprint": sha256("hardware")[:12],
        "hardware": {
            "cpu": "Example CPU <2 GHz>",
            "cores": 2,
            "device": "cpu",
            "gpu": None,
            "isa": "avx2",
            "threads": 2,
            "torch": "2.11.0",
        },
        "load": {"before": 0.1, "after": 0.4, "too_high": too_high},
        "rows": [_timed(*key, mode) for key in keys for mode in ("step", "loader")],
    }


def _timed(workload: str, optimizer: str, batch_size: int, mode: str) -> dict[str, Any]:
    cost = {"sgd": 1.0, "momentum": 1.1, "adam": 1.4}.get(optimizer, 1.2)
    step = (150e-6 + 1.5e-6 * batch_size) * cost * (1.3 if mode == "loader" else 1.0)
    return {
        "workload": workload,
        "optimizer": optimizer,
        "batch_size": batch_size,
        "mode": mode,
        "step_time_s": step,
        "step_low_s": 0.97 * step,
        "step_high_s": 1.04 * step,
        "iqr_s": step / 20,
        "blocks": 40,
        "samples_per_s": batch_size / step,
        "peak_memory_bytes": 40_000_000 + 4096 * batch_size,
        "passes": 40,
        "noisy": 0,
        "noisy_because": None,
        "load": 0.1,
    }


def regression(name: str = "made-up-regression") -> str:
    """Register a workload that is judged by a loss, less being better; give its name."""
    if name not in registry.names():
        mse = Metric("MSE", "min", "", untrained)
        registry.add(name, Workload(name, "digits", untrained, 0.25, metric=mse), __file__)
    return name


def untrained(*_: Any) -> Any:
    """Stands for a loss or a builder that must never be called."""
    raise AssertionError("nothing here trains")
