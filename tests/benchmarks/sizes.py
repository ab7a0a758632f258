"""How much each benchmark does: in full, or just enough to see that it works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What bounds the benchmarks' time; none of it changes what is measured.

    Args:
        name: ``full`` or ``quick``.
        rounds: repetitions of whatever is repeated, interleaved with what it is compared to.
        block: seconds of steps that are timed at once.
        cells: cells a batch size that are trained one process each.
        trials: trials a batch size that the eager loop trains.
        scripts: trials a batch size that the articles' script trains.
        toys: numbers of trivial cells that Snakemake is timed with.
        planned: number of trivial cells in the dry run.
        finished: rates of the finished study that has nothing to do; it has 100 cells for each.
        steps: of every trial of the MNIST grid; 0 for one epoch.
        product: rows of the matrices whose product is the ceiling of arithmetic.
        copies: bytes of the copies that are the ceilings of memory, the largest last.
        widths: trials a pack.
        page_cells: cells of a made-up study whose page is opened.
        scale: cells of the studies whose growth is measured, from small to large.
    """

    name: str
    rounds: int
    block: float
    cells: int
    trials: int
    scripts: int
    toys: tuple[int, ...]
    planned: int
    finished: int
    steps: int
    product: int
    copies: tuple[int, ...]
    widths: tuple[int, ...]
    page_cells: int
    scale: tuple[int, ...]

    @property
    def quick(self) -> bool:
        """Whether numbers are worth nothing, and only the form of the results is looked at."""
        return self.name == "quick"


FULL = Sizes(
    name="full",
    rounds=3,
    block=0.25,
    cells=6,
    trials=20,
    scripts=2,
    toys=(100, 1000),
    planned=10_000,
    finished=10,
    steps=0,
    product=2048,
    copies=(1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28),
    widths=(16, 128),
    page_cells=10_000,
    scale=(1_000, 5_000, 10_000, 100_000),
)
QUICK = Sizes(
    name="quick",
    rounds=1,
    block=0.01,
    cells=1,
    trials=2,
    scripts=1,
    toys=(6,),
    planned=20,
    finished=0,
    steps=10,
    product=256,
    copies=(1 << 18, 1 << 22),
    widths=(2, 8),
    page_cells=96,
    scale=(8, 16),
)
