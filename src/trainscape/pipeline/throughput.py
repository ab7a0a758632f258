"""Write the record of this machine's step times, which the throughput's suite has measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.errors import DamagedFileError, UserError
from trainscape.files import sweep
from trainscape.sealed import read_sealed, write_sealed
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
    write_sealed(path, {"record": path.stem, **record(layout.study, layout.grid, benchmarks)})
    sweep(path.parent, "*.json", keep=[path, *elsewhere(path)])


def read_record(path: Path) -> dict[str, Any]:
    """The record of step times in a file, checked.

    Raises:
        MissingFileError: it is not there.
        DamagedFileError: it is not whole, was edited, or is another record.
    """
    body = read_sealed(path)
    if body.get("record") != path.stem:
        raise DamagedFileError(path, "holds another record")
    return body


def elsewhere(path: Path) -> list[Path]:
    """The records of the same step times that other machines have measured."""
    sha = path.stem.split("-")[-1]
    return [other for other in path.parent.glob(f"*-{sha}.json") if other != path]
