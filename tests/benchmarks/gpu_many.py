"""Several GPUs at once, a process on each, as the fuse executor starts them.

``python -m benchmarks.gpu_many WORKLOAD WIDTH`` is one of these processes: it trains a pack on the
GPU that it sees, or on the CPU, and prints what came of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from snakemake_executor_plugin_fuse.gpus import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence


def together(workload: str, width: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """A pack on the first GPU alone, then the same pack on all GPUs at once.

    Args:
        workload: of the :data:`~benchmarks.gpu_trials.SHAPES`.
        width: trials of the pack.
        names: the GPUs; ``CUDA_VISIBLE_DEVICES`` takes them.

    Returns:
        Rows of checks: whether GPUs of one backend give equal bits, and how long they take.
    """
    [alone] = _trained(workload, width, names[:1])
    made = _trained(workload, width, names)
    what = f"{workload}, width {width}, {len(names)} GPUs"
    bits: dict[str, set[str]] = {}
    for one in [alone, *made]:
        bits.setdefault(one["backend"], set()).add(one["bits"])
    slowest = max(one["seconds"] for one in made)
    return [
        {
            "check": "all GPUs of one backend give equal bits",
            "what": what,
            "holds": all(len(found) == 1 for found in bits.values()),
            "largest": None,
            "detail": f"records and weights; {', '.join(sorted(bits))}",
        },
        {
            "check": "a pack on every GPU at once takes no longer than on one",
            "what": what,
            "holds": None,  # a measurement, of no bound
            "largest": None,
            "detail": f"{alone['seconds']:.2f} s alone, {slowest:.2f} s the slowest of all at once",
        },
    ]


def _trained(workload: str, width: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """What a pack on each of these GPUs comes to, all at the same time.

    Raises:
        RuntimeError: a process failed; the text ends with its last line.
    """
    command = [sys.executable, "-m", "benchmarks.gpu_many", workload, str(width)]
    running = [
        subprocess.Popen(
            command,
            env={**os.environ, VARIABLE: name},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    made = []
    for name, process in zip(names, running, strict=True):
        said, errors = process.communicate(timeout=300)
        if process.returncode:
            raise RuntimeError(f"GPU {name or 'none'}: {errors.strip().splitlines()[-1]}")
        made.append(json.loads(said.splitlines()[-1]))
    return made


def main(workload: str, width: int) -> None:
    """Train a pack here, twice: what is compiled and captured first takes its time."""
    from benchmarks.gpu_trials import SHAPES, Bench, crowd
    from trainscape.engine import backend, device

    on = device.choose("auto")
    bench = Bench(next(shape for shape in SHAPES if shape.workload == workload), on)
    bench.train(crowd(width))
    began = time.perf_counter()
    records, weights, _ = bench.train(crowd(width))
    seconds = time.perf_counter() - began
    bits = hashlib.sha256(weights.numpy().tobytes() + repr(records).encode()).hexdigest()
    print(json.dumps({"backend": backend.name(on, width), "bits": bits, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
