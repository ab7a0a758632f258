"""How far cells are, in the log of the process that trains them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from trainscape.numerals import counted, roughly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.cells.cell import Cell

SILENCE = 30.0  # seconds without a line after which one comes between two evaluations


class Progress:
    """Says how many steps are done, of all that are to be made, and how long the others take.

    Args:
        cells: what trains together.
        trials: how many are to train.
        say: is told the lines.
        clock: seconds.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        trials: int,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        together = " together" if trials > 1 else ""
        of = f"{counted(len(cells), 'cell')} of batch size {cells[0].batch_size}"
        self.what = f"{counted(trials, 'trial')}{together} ({of})"
        self.say, self.clock = say, clock
        self.told = clock()
        self.began: tuple[float, int] | None = None  # when it was first asked, and what was done

    def evaluated(self, done: int, total: int) -> None:
        """After an evaluation, with the steps done and in all, of all trials."""
        self.told = now = self.clock()
        since, before = self.began = self.began or (now, done)
        left = (now - since) * (total - done) / max(done - before, 1)
        about = f", about {roughly(left)} left" if before < done < total else ""
        self.say(f"{done:,} of {total:,} steps of {self.what}{about}")

    def stepped(self, done: int, total: int) -> None:
        """After any step: the same, if nothing was said for a while."""
        self.began = self.began or (self.clock(), done)
        if self.clock() - self.told >= SILENCE:
            self.evaluated(done, total)
