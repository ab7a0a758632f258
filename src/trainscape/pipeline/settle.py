"""All cells are there: those that left the study go to the attic, and DVC's folders are made.

What was kept of trials in training is of no use any more.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.files import sweep
from trainscape.results.attic import Attic
from trainscape.results.finalists import FOLDER

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout

# Folders that dvc.yaml names, and in which not every study has anything.
VERSIONED = ("range", "search", "confirm", "finalists", "throughput", "replay", ".made/replay")


def make(layout: Layout) -> None:
    """Leave the study's cells, rounds and finalists, and no others."""
    Attic(layout.output).take(layout.trained)
    shutil.rmtree(layout.checkpoints, ignore_errors=True)
    for folder in VERSIONED:
        (layout.output / folder).mkdir(parents=True, exist_ok=True)
    sweep(layout.output / "search", "*.json", keep=map(Path, layout.all_rounds))
    sweep(layout.output / FOLDER, "*.json", keep=map(Path, layout.finalists.values()))
