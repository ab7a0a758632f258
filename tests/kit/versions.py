"""Tables of trials of a version of a study, as ``trainscape diff`` reads them."""

from __future__ import annotations

from itertools import product

import numpy as np

from trainscape.analysis import _trials

COLUMNS = _trials.COLUMNS


def table(
    name: str = "one",
    shift: float = 0.0,
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4),
    digest: str = "d1",
    backend: str = "cpu-avx512",
    lrs: tuple[float, ...] = (0.01, 0.1),
    only: str = "",
    workload: str = "digits-mlp",
    schedules: tuple[str, ...] = ("constant",),
) -> str:
    """A table of trials of two optimizers; ``shift`` is on the scale of log odds.

    Args:
        name: of the noise.
        shift: of the cells of the optimizer ``only``, or of all.
        seeds: the seeds.
        digest: of every cell.
        backend: of every cell.
        lrs: the learning rates.
        only: an optimizer, or nothing for both.
        workload: its name.
        schedules: of each optimizer.
    """
    noise = np.random.Generator(np.random.PCG64(list(name.encode())))
    lines = [",".join(COLUMNS)]
    for optimizer, schedule in product(("sgd", "adam"), schedules):
        for batch in (16, 32, 64, 128, 256):
            for lr in lrs:
                for seed in seeds:
                    moved = shift if only in ("", optimizer) else 0.0
                    odds = 2.5 + 0.1 * noise.normal() + moved
                    share = round(360 / (1 + np.exp(-odds))) / 360
                    row = {
                        "workload": workload,
                        "optimizer": optimizer,
                        "batch_size": batch,
                        "lr": lr,
                        "schedule": schedule,
                        "seed": seed,
                        "status": "ok",
                        "test_metric": share,
                        "test_loss": 1 - share,
                        "backend": backend,
                        "digest": digest,
                    }
                    lines.append(",".join(str(row.get(column, "")) for column in COLUMNS))
    return "\n".join(lines) + "\n"
