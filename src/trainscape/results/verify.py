"""Check that every file of a study is the one that was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets
from trainscape.cells.identity import digest
from trainscape.errors import UserError
from trainscape.hashing import file_sha256
from trainscape.pipeline.layout import DATA, Layout
from trainscape.results.cell_files import read_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def verify(layout: Layout) -> list[str]:
    """What is missing, damaged or edited, one line each."""
    found: list[str] = []
    for name in layout.datasets:
        found += _complaint(datasets.load, name, DATA)
    for path, cell in layout.trained.items():
        found += _complaint(read_cell, Path(path), digest(cell))
    for stage in layout.stamped:
        found += _edited(Path(layout.stamp(stage)))
    return found


def _complaint(read: Callable[..., object], *args: object) -> Iterator[str]:
    try:
        read(*args)
    except UserError as error:
        yield str(error)


def _edited(stamp: Path) -> Iterator[str]:
    """The products that are not as they were when the stage stamped them."""
    if not stamp.exists():
        yield f"{stamp}: no such stamp; run snakemake to make the stage {stamp.parent.name!r}"
        return
    for name, made in json.loads(stamp.read_text(encoding="utf-8")).items():
        path = Path(name)
        if not path.exists():
            yield f"{path}: is missing; run snakemake to make it"
        elif file_sha256(path) != made:
            yield f"{path}: was changed after it was made; delete it and run snakemake"
