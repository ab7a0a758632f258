"""Write the record of this machine's step times, which the throughput's suite has measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import UserError
from trainscape.files import sweep
from trainscape.sealed import write_sealed
from trainscape.throughput import record

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout


def make(layout: Layout, benchmarks: Path | None) -> None:
    """Write the record of the step times; those that this machine measured otherwise go.

    Args:
        layout: the study.
        benchmarks: the suite's ``--benchmark-json``.

    Raises:
        UserError: the study measures none, or the file is not what its suite wrote.
    """
    if layout.throughput is None:
        raise UserError("throughput.enabled: is false; set it to true to measure")
    if benchmarks is None:
        raise UserError("make throughput: --benchmarks must name what the suite has measured")
    path = Path(layout.throughput)
    write_sealed(path, record(layout.study, layout.grid, benchmarks))
    sha = path.stem.split("-")[-1]
    sweep(path.parent, "*.json", keep=path.parent.glob(f"*-{sha}.json"))
