"""Measure step times on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import UserError
from trainscape.results.attic import sweep
from trainscape.throughput import measure

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout


def make(layout: Layout) -> None:
    """Write the record of the step times; those that this machine measured otherwise go.

    Raises:
        UserError: the study measures none.
    """
    if layout.throughput is None:
        raise UserError("throughput.enabled: is false; set it to true to measure")
    path = Path(layout.throughput)
    measure(layout.study, layout.grid, layout.data, path)
    sha = path.stem.split("-")[-1]
    sweep(path.parent, "*.json", keep=path.parent.glob(f"*-{sha}.json"))
