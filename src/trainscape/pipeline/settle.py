"""All cells are there: those that left the study go to the attic, and DVC's folders are made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.files import sweep
from trainscape.results.attic import Attic

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout

# Folders that dvc.yaml names, and in which not every study has anything.
VERSIONED = ("range", "search", "throughput", "replay", ".made/replay")


def make(layout: Layout) -> None:
    """Leave the study's cells and rounds, and no others."""
    Attic(layout.output).take(layout.trained)
    for folder in VERSIONED:
        (layout.output / folder).mkdir(parents=True, exist_ok=True)
    rounds = [Path(file) for files in layout.rounds.values() for file in files]
    sweep(layout.output / "search", "*.json", keep=rounds)
