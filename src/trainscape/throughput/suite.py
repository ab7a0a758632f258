"""Run the benchmark suite in a process of its own, and follow it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.errors import UserError
from trainscape.throughput.identity import SUITE, suite
from trainscape.throughput.request import BEGUN, SKIPPED, VARIABLE, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

TAIL = 25  # lines that are shown of a failing suite

# Snakemake sets these to the threads of a rule, and a study's own jobs need the last two. A
# practitioner's loop has torch's defaults.
CLEARED = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_CBWR",
    "CUBLAS_WORKSPACE_CONFIG",
)


def run(asked: Request) -> list[dict[str, Any]]:
    """Measure, with a line on stderr for each measurement.

    Returns:
        pytest-benchmark's records, in the order they were made.

    Raises:
        UserError: the suite failed; its last lines are on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="trainscape-throughput-") as text:
        folder = Path(text)
        asked.write(folder / "request.json")
        tail: deque[str] = deque(maxlen=TAIL)
        skipped = 0
        progress = Progress(len(asked.measurements))
        with _process(suite(), folder) as process:
            for line in process.stdout or ():
                if line.startswith(SKIPPED):
                    skipped += 1
                elif line.startswith(BEGUN):
                    progress.begin(line.partition("[")[2].rpartition("]")[0])
                else:
                    tail.append(line)
        if process.returncode:
            sys.stderr.writelines(tail)
            raise UserError(
                f"throughput: {SUITE.as_posix()} failed{progress.where()} "
                f"(exit status {process.returncode}); its last lines stand above"
            )
        marks = _marks(folder / "benchmark.json")
    if len(marks) + skipped != len(asked.measurements):
        raise UserError(
            f"throughput: {SUITE.as_posix()} measured {len(marks)} of {len(asked.measurements)}"
        )
    return marks


class Progress:
    """A line on stderr for each measurement: which of how many, and the time left.

    Args:
        total: how many there will be.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.begun = 0
        self.name = ""
        self.start = 0.0

    def begin(self, name: str) -> None:
        """Say that the measurement ``name`` begins."""
        if not self.begun:
            self.start = time.monotonic()  # importing torch before it is no part of the pace
        left = self._left()
        self.begun += 1
        self.name = name
        print(
            f"throughput: {self.begun} of {self.total}, {name}{left}", file=sys.stderr, flush=True
        )

    def where(self) -> str:
        """What was being measured, to follow a verb."""
        return f" at {self.name}" if self.name else ""

    def _left(self) -> str:
        if not self.begun:
            return ""
        pace = (time.monotonic() - self.start) / self.begun
        return f", about {max(1, round(pace * (self.total - self.begun)))} s left"


@contextmanager
def _process(file: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The suite as a process, its output as one stream; ended when the block is left."""
    with subprocess.Popen(
        _command(file, folder),
        env=_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def _command(file: Path, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest", str(file)),
        *("-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider", "-o", "addopts="),
        *("--import-mode=importlib", "--capture=no", "-q", "--no-header"),
        # the other tests' conftest.py sets MKL up for equal bits, which costs speed
        *(f"--rootdir={_root(file)}", f"--confcutdir={file.parent}"),
        *("--benchmark-only", "--benchmark-quiet"),
        f"--benchmark-json={folder / 'benchmark.json'}",
        f"--benchmark-storage=file://{folder / 'storage'}",
    ]


def _root(file: Path) -> Path:
    return file.parents[len(SUITE.parts) - 1]


def _environment(folder: Path) -> dict[str, str]:
    # pytest's own settings are those of whoever started us: an outer run's would alter this one
    kept = {k: v for k, v in os.environ.items() if k not in CLEARED and not k.startswith("PYTEST_")}
    # A plugin that happens to be installed may reorder or instrument tests.
    return {
        **kept,
        VARIABLE: str(folder / "request.json"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _marks(file: Path) -> list[dict[str, Any]]:
    """What the suite wrote; nothing, if every measurement was skipped."""
    if not file.exists() or not file.stat().st_size:
        return []
    marks: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["benchmarks"]
    return marks
