"""What leaves a study, and what comes back: nothing that was trained is thrown away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from trainscape.cells import range_tests
from trainscape.cells.cell import parse_path
from trainscape.cells.identity import digest
from trainscape.errors import UserError
from trainscape.files import sweep
from trainscape.results.cell_files import read_cell

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.pipeline.layout import Layout


def place(layout: Layout, path: Path) -> Path:
    """Where a cell waits while it is not in the study: by its digest alone."""
    return layout.output / ".attic" / f"{_sha(path)}.json"


def restore(layout: Layout, path: Path) -> Path | None:
    """Bring a cell back, if it is whole: from the attic, or from a label that it had before.

    Returns:
        Where it was; None if it is nowhere.
    """
    named = [p for folder in _folders(layout) for p in folder.rglob(f"*-{_sha(path)}.json")]
    for kept in (place(layout, path), *(p for p in named if str(p) not in layout.trainable)):
        try:
            if not kept.exists():
                continue
            read_cell(kept, digest(layout.trainable[str(path)]))
        except UserError as error:
            print(f"{error}; it is trained again", file=sys.stderr)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        kept.replace(path)
        return kept
    return None


def prune_cells(layout: Layout) -> None:
    """Move the cell files that are not the study's to the attic; other files stay."""
    trained = layout.trained
    for folder in _folders(layout):
        for path in sorted(folder.rglob("*.json")):
            if str(path) not in trained and _is_cell(path):
                kept = place(layout, path)
                kept.parent.mkdir(parents=True, exist_ok=True)
                path.replace(kept)
                print(f"moved {path} to the attic")
        sweep(folder)


def _folders(layout: Layout) -> list[Path]:
    """Where cell files lie: those of the grid, and the learning-rate range tests."""
    return [layout.output / "cells", layout.output / range_tests.FOLDER]


def _sha(path: Path) -> str:
    return path.stem.split("-")[-1]


def _is_cell(path: Path) -> bool:
    try:
        parse_path(path.as_posix())
    except ValueError:
        return False
    return True
