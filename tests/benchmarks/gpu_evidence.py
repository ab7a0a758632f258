"""Evidence from a machine with a GPU: ``make gpu-evidence``.

Needs torch and numpy alone: ``PYTHONPATH=src:tests python -m benchmarks.gpu_evidence``. Without a
CUDA device all of it runs in a small size on the CPU, as a check of itself, and nothing is written.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import (
    ceilings,
    gpu_checks,
    gpu_details,
    gpu_many,
    gpu_speed,
    gpu_trials,
    jax_peer,
    jax_rival,
)
from benchmarks.output import Result, Table, shown
from snakemake_executor_plugin_fuse import devices
from trainscape import source
from trainscape.engine import backend, device

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.ceilings import Ceilings
    from benchmarks.steps import Case

    Measured = Callable[[Ceilings], tuple[list[dict[str, Any]], list[str]]]

NOTICE = "no CUDA device: nothing was measured on a GPU"
PAGES = source.PACKAGE.parents[1] / "docs" / "benchmarks"
CHECKS = {"check": "check", "what": "on", "holds": "holds", "largest": "largest difference"}
CHECKS["detail"] = ""


class Evidence:
    """Sections that run one after the other; a failure is recorded and the rest goes on.

    Args:
        seconds: after which no further section begins.
    """

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.began = time.monotonic()
        self.checks: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.rivals: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.limits: Ceilings | None = None

    def section(self, name: str, work: Callable[[], None]) -> None:
        """Do a part, unless time is up; a failure becomes a note."""
        if time.monotonic() > self.end:
            self.say(f"skipped, out of time: {name}")
            return
        print(f"[{time.monotonic() - self.began:4.0f} s] {name}", flush=True)
        try:
            work()
        except Exception as error:  # whatever it is, the other sections can still tell something
            traceback.print_exc()
            lines = str(error).strip().splitlines()
            self.say(f"failed: {name}: {type(error).__name__}: {lines[0] if lines else ''}")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def say(self, note: str) -> None:
        """Print a note and keep it."""
        print(f"  {note}", flush=True)
        self.notes.append(note)

    def check(self, work: Callable[[], list[dict[str, Any]]]) -> None:
        """Keep and print a check's rows."""
        for row in work():
            self.checks.append(row)
            word = {True: "holds", False: "DOES NOT HOLD", None: "open"}[row["holds"]]
            print(f"  {word}: {row['check']} ({row['what']}): {row['detail']}", flush=True)

    def measure(self, size: int, copies: Sequence[int], block: float, on: torch.device) -> None:
        """The device's ceilings."""
        precisions = gpu_speed.PRECISIONS
        self.limits = ceilings.measure(size, copies, 5, block, on.type, precisions)
        for row in ceilings.table(self.limits).rows:
            print(f"  {row['what']}: {row['rate']}", flush=True)

    def speed(self, work: Measured) -> None:
        """Keep and print the rows of a case."""
        for row in self._measured(work, self.rows):
            print(
                f"  width {row['width']}: {row['rate']:,.0f} model-steps/s, {row['ratio']:.1f} × "
                f"eager, {row['percent']:.1f} % of the larger floor",
                flush=True,
            )

    def rival(self, work: Measured) -> None:
        """Keep and print what JAX makes of a case."""
        for row in self._measured(work, self.rivals):
            print(
                f"  JAX, {row['way']}: {row['jax_rate']:,.0f} model-steps/s; ours "
                f"{row['rate']:,.0f}, {row['ratio']:.2f} × JAX; "
                f"{shown(row['difference'])} apart",
                flush=True,
            )

    def _measured(self, work: Measured, to: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of a case, which are kept; what failed is said.

        Raises:
            RuntimeError: the ceilings are not there to compare with.
        """
        if self.limits is None:
            raise RuntimeError("there are no ceilings")
        rows, left = work(self.limits)
        to += rows
        for line in left:
            self.say(line)
        return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Gather the evidence; 0 unless arguments are wrong: a failure is part of the record."""
    parser = argparse.ArgumentParser(prog="gpu_evidence", description=__doc__)
    parser.add_argument("--seconds", type=float, default=480, help="no section begins after this")
    parser.add_argument("--out", type=Path, default=PAGES, help="folder of the results")
    args = parser.parse_args(argv)
    evidence = Evidence(args.seconds)
    if not torch.cuda.is_available():
        print(f"\n*** {NOTICE} ***\n", flush=True)
        rehearse(evidence)
        print(f"\n*** {NOTICE} ***", flush=True)
        return 0
    gather(evidence)
    name = torch.cuda.get_device_name()
    for file in _result(evidence, name).write(args.out):
        print(file.name, flush=True)
    return 0


def gather(evidence: Evidence) -> None:
    """All of it, on the GPU."""
    on = device.choose("cuda")
    copies = tuple(1 << power for power in range(20, 33, 2))
    evidence.section("ceilings", partial(evidence.measure, 8192, copies, 0.1, on))
    for shape in gpu_trials.SHAPES:
        _checks(evidence, shape, on, 16)
    _checks(evidence, gpu_trials.SHAPES[0], on, 64)
    for shape in gpu_trials.SHAPES:
        _details(evidence, shape, on)
    evidence.section("a pack that does not fit", partial(evidence.check, partial(_halving, on)))
    _many(evidence, [gpu.name for gpu in devices.found(os.environ, 1)], 64)
    for precision in gpu_speed.PRECISIONS:
        for case in gpu_speed.CASES:
            work = partial(_rates, case, precision, gpu_speed.WIDTHS, on, 5, 0.1)
            evidence.section(
                f"{case.workload}, batch {case.batch_size}, {precision}",
                partial(evidence.speed, work),
            )
    _beside_jax(evidence, gpu_speed.CASES, gpu_speed.PRECISIONS, gpu_speed.JAX_WIDTHS, on, 5, 0.1)


def rehearse(evidence: Evidence) -> None:
    """Every section but the one that limits a GPU's memory, in a small size on the CPU."""
    on = device.choose("cpu")
    evidence.section("ceilings", partial(evidence.measure, 128, (1 << 16, 1 << 20), 0.001, on))
    for shape in (gpu_trials.SHAPES[0], gpu_trials.Shape("digits-cnn", 4, 8, 1)):
        _checks(evidence, shape, on, 4)
    _details(evidence, gpu_trials.Shape("digits-mlp", 16, 40, 1), on)
    _many(evidence, ["", ""], 2)
    for precision in ("fp32", "bf16"):
        work = partial(_rates, gpu_speed.CASES[0], precision, (2, 4), on, 2, 0.005)
        evidence.section(f"digits-mlp, {precision}", partial(evidence.speed, work))
    _beside_jax(evidence, gpu_speed.CASES[:1], ("fp32", "bf16"), (2, 4), on, 2, 0.005)


def _beside_jax(
    evidence: Evidence,
    cases: Sequence[Case],
    precisions: Sequence[str],
    widths: Sequence[int],
    on: torch.device,
    rounds: int,
    block: float,
) -> None:
    if why := jax_peer.missing():
        evidence.say(f"skipped: beside JAX: {why}")
        return
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        for precision in precisions:
            for case in cases:

                def work(
                    limits: Ceilings, case: Case = case, precision: str = precision
                ) -> tuple[list[dict[str, Any]], list[str]]:
                    return gpu_speed.beside_jax(
                        case, precision, widths, on, limits, rounds, block, Path(folder)
                    )

                name = f"beside JAX: {case.workload}, batch {case.batch_size}, {precision}"
                evidence.section(name, partial(evidence.rival, work))


def _checks(evidence: Evidence, shape: gpu_trials.Shape, on: torch.device, width: int) -> None:
    works: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "curves": partial(gpu_checks.curves, shape, on),
        **{
            work.__name__: partial(work, shape, on, width)
            for work in (
                gpu_checks.captured,
                gpu_checks.repeats,
                gpu_checks.reloads,
                gpu_checks.resumes,
                gpu_checks.company,
                gpu_checks.halves,
            )
        },
    }
    for name, work in works.items():
        evidence.section(f"{name}: {shape.workload}, width {width}", partial(evidence.check, work))


def _details(evidence: Evidence, shape: gpu_trials.Shape, on: torch.device) -> None:
    for way in gpu_details.WAYS:
        work = partial(gpu_details.details, shape, on, way)
        evidence.section(f"details: {shape.workload}, {way}", partial(evidence.check, work))


def _halving(on: torch.device) -> list[dict[str, Any]]:
    from benchmarks.gpu_memory import halving

    return halving(on, 512)


def _many(evidence: Evidence, names: Sequence[str], width: int) -> None:
    if len(names) < 2:
        evidence.say(f"skipped: several GPUs at once: {len(names)} can be seen")
        return
    for shape in gpu_trials.SHAPES if width > 2 else gpu_trials.SHAPES[:1]:
        work = partial(gpu_many.together, shape.workload, width, names)
        evidence.section(f"several GPUs: {shape.workload}", partial(evidence.check, work))


def _rates(
    case: Case,
    precision: str,
    widths: Sequence[int],
    on: torch.device,
    rounds: int,
    block: float,
    limits: Ceilings,
) -> tuple[list[dict[str, Any]], list[str]]:
    return gpu_speed.rates(case, precision, widths, on, limits, rounds, block)


def _result(evidence: Evidence, name: str) -> Result:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    tables = [
        Table(CHECKS, evidence.checks, "What holds"),
        Table(gpu_speed.GPU_COLUMNS, evidence.rows, "Speed"),
    ]
    if evidence.rivals:
        tables.append(jax_rival.table(evidence.rivals, jax_rival.GPU_COLUMNS))
    if evidence.limits:
        tables.append(ceilings.table(evidence.limits))
    return Result(
        f"gpu-{slug}",
        f"Evidence on {name}",
        "make gpu-evidence",
        "full",
        {
            "gpu": name,
            "cuda": torch.version.cuda,
            "backend": backend.name(torch.device("cuda")),
            "checks": evidence.checks,
            "rows": evidence.rows,
            "jax": evidence.rivals,
            "ceilings": evidence.limits.plain() if evidence.limits else None,
        },
        tables,
        [
            "Packs and the eager loop (torch.optim's fastest implementation, batches on the GPU, "
            "cudnn.benchmark, no determinism asked for) take turns. Floors as in "
            "tests/benchmarks/floors.py, at the rates below. Synthetic images.",
            *(jax_rival.GPU_NOTES if evidence.rivals else ()),
            *evidence.notes,
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
