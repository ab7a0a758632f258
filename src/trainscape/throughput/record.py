"""From what pytest-benchmark wrote of the suite's run to the record of a study's step times."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trainscape import hardware
from trainscape.errors import UserError
from trainscape.throughput.identity import digest, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from trainscape.cells.cell import Cell
    from trainscape.study import Study


def record(study: Study, cells: Iterable[Cell], benchmarks: Path) -> dict[str, Any]:
    """The record of a study's step times: the machine, how busy it was, and a row a measurement.

    Args:
        study: the study.
        cells: its grid.
        benchmarks: the suite's ``--benchmark-json``.

    Raises:
        UserError: the file is missing or damaged, or is of other measurements or not of all.
    """
    cells = list(cells)
    try:
        made = json.loads(benchmarks.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"throughput: {benchmarks} cannot be read: {error}") from error
    if not isinstance(made, dict) or made.get("digest") != digest(study, cells):
        raise UserError(
            f"throughput: {benchmarks} is of another study or source; run snakemake to measure"
        )
    asked = [one.key() for one in wanted(cells)]
    try:
        rows, machine, load = made["rows"], made["machine_info"], made["load"]
        found = [{name: row[name] for name in asked[0]} for row in rows]
    except (KeyError, TypeError):
        raise UserError(f"throughput: {benchmarks} is not what the suite wrote") from None
    if found != asked:
        raise UserError(f"throughput: {benchmarks} has {len(rows)} of {len(asked)} measurements")
    return {
        "fingerprint": hardware.fingerprint(study.device),
        "hardware": machine,
        "load": load,
        "rows": rows,
    }
