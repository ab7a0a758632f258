"""What a checkpoint costs: ``python -m benchmarks.checkpoint``, with tests/ and src/ on the path.

It prints a line for each case: the processor's time to write the states of trials in training with
Adam, that to read them and put them back, and their size.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import torch

from benchmarks.gpu_trials import Bench, Shape, trial
from trainscape.engine.checkpoint import Keeper
from trainscape.engine.lanes import Lanes
from trainscape.engine.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.engine.pack import Pack
    from trainscape.engine.unfused import Single

CASES = (("digits-mlp", 20), ("digits-mlp", 128), ("mnist-mlp", 20))
STEPS = 12  # after the first, at each of which the states are written and brought back


class Timed(Watch):
    """Keeps the states at every step, and brings them back."""

    wrote: Sequence[float] = ()
    read: Sequence[float] = ()

    def look(self, of: Pack | Single) -> None:
        if not of.done:
            return
        at = [time.process_time()]
        for work in (self._save, self._bring_back):
            work(of)
            at.append(time.process_time())
        self.wrote, self.read = [*self.wrote, at[1] - at[0]], [*self.read, at[2] - at[1]]


def row(workload: str, count: int) -> str:
    """The costs of one case, in words."""
    on = torch.device("cpu")
    task = Bench(Shape(workload, 16, 16 * (STEPS + 1), 1), on).task
    trials = [trial("adam", seed) for seed in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        keeper = Keeper(Path(folder), math.inf, lambda i, _: str(i), on, lambda _: None)
        keeper.begin([{"seeds": [one.seed]} for one in trials])
        pack = Lanes(task, count)
        pack.load(trials)
        watch = Timed(keeper, [(i, one.seed) for i, one in enumerate(trials)], "cpu", whole=False)
        pack.advance(STEPS + 1, watch)
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    wrote, read = (1000 * median(times) for times in (watch.wrote, watch.read))
    return (
        f"{count} trials of {workload}: {wrote:.0f} ms to write, {read:.0f} ms to bring back, "
        f"{size / 1e6:.1f} MB"
    )


def main() -> int:
    """Print every case's row."""
    torch.set_num_threads(1)
    for case in CASES:
        print(row(*case), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
