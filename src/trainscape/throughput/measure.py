"""From a study to its throughput record, with the machine to itself."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape import hardware
from trainscape.errors import UserError
from trainscape.files import write_json
from trainscape.throughput import load, suite
from trainscape.throughput.request import Request, request
from trainscape.throughput.rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trainscape.cells.cell import Cell
    from trainscape.study import Study

LOCK = "trainscape-throughput.lock"


def measure(study: Study, cells: Iterable[Cell], data_folder: Path, output: Path) -> None:
    """Measure every step time of a study, and write the record to ``output`` at once or not at all.

    Args:
        study: its device, settings and plugins.
        cells: its grid.
        data_folder: where the datasets are.
        output: the file to write.

    Raises:
        UserError: the benchmark suite fails, or what it says cannot be.
    """
    asked = request(study, list(cells), data_folder)
    with alone():
        before = load.glance()
        start = load.Clock.now()
        marks = suite.run(asked)
        during = load.share(start, load.Clock.now())
        after = load.glance()
    record = _record(asked, marks, {"before": before, "during": during, "after": after})
    if record["load"]["too_high"]:
        _say(f"others used more than {load.TOO_HIGH:.0%} of the machine: the times are too long")
    write_json(output, record)


@contextmanager
def alone() -> Iterator[None]:
    """Hold the one lock of this machine for measurements; wait for whoever has it."""
    from filelock import FileLock, Timeout

    # Open to every user: the machine is one, whoever measures on it.
    lock = FileLock(Path(tempfile.gettempdir(), LOCK), mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _say("another measurement has this machine; waiting for it to end")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _record(
    asked: Request, marks: Sequence[dict[str, Any]], loads: dict[str, float]
) -> dict[str, Any]:
    try:
        made = rows(marks, asked.measurements)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"throughput: the benchmark suite's record is wrong: {error}") from error
    first = marks[0]["extra_info"] if marks else {}
    setup = {name: first.get(name) for name in ("device", "threads")}
    return {
        "fingerprint": hardware.fingerprint(asked.device),
        "hardware": {**hardware.describe(), **setup},
        "load": {**loads, "too_high": max(loads.values()) > load.TOO_HIGH},
        "rows": made,
    }


def _say(text: str) -> None:
    print(f"throughput: {text}", file=sys.stderr, flush=True)
