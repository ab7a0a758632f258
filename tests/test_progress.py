"""A log says how far its trials are, in steps of all of them."""

from __future__ import annotations

from kit import small_study
from trainscape.cells import grid
from trainscape.pipeline.progress import SILENCE, Progress


class Clock:
    """Stands still until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_at_evaluations_and_after_silence() -> None:
    """Each says the steps of all trials and, once some are made, what the others take."""
    clock, said = Clock(), list[str]()
    cells = grid.cells(small_study.make(seeds=3))[:2]
    progress = Progress(cells, 6, said.append, clock)
    for seconds, done in ((0, 2000), (SILENCE / 2, 2300), (SILENCE, 2600), (SILENCE, 2600)):
        clock.now = seconds
        progress.stepped(done, 12000)
    clock.now = 2 * SILENCE - 1
    progress.stepped(3100, 12000)
    progress.evaluated(3200, 12000)
    progress.evaluated(12000, 12000)
    of = f"steps of 6 trials together (2 cells of batch size {cells[0].batch_size})"
    assert said == [
        f"2,600 of 12,000 {of}, about 8 min left",
        f"3,200 of 12,000 {of}, about 7 min left",
        f"12,000 of 12,000 {of}",
    ]


def test_one_trial_of_one_cell_is_told_so() -> None:
    """Before any step is made nothing is said of what is left."""
    [cell, *_], said = grid.cells(small_study.make(seeds=1)), list[str]()
    Progress([cell], 1, said.append).evaluated(200, 1200)
    assert said == [f"200 of 1,200 steps of 1 trial (1 cell of batch size {cell.batch_size})"]
