"""What a cell costs on Slurm: ``python -m benchmarks.cluster``, with tests/ and src/ on the path.

It starts a Slurm of two nodes on this machine, trains a few trivial cells in bundles and in a job
each, and prints what a cell adds to the processor time of the whole machine, Slurm's daemons
included: so nothing else may be running. ``make cluster-test`` installs what it needs.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from kit.project import scratch
from kit.slurm import Slurm, missing

BUNDLES = ("snakemake", "--workflow-profile", "profiles/slurm")
JOBS = (
    *("snakemake", "--workflow-profile", "profiles/slurm-jobs", "--slurm-no-account"),
    *("--slurm-status-command", "squeue"),
)
FEW, MANY = 4, 400  # cells


def busy() -> float:
    """Seconds that the processors of this machine have worked since its start."""
    user, nice, system = Path("/proc/stat").read_text().split()[1:4]
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print the seconds of each run, and those of a cell."""
    if why := missing():
        sys.exit(why)
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        slurm = Slurm(Path(folder) / "cluster")
        slurm.start()
        try:
            os.environ.update(slurm.environment)
            project = scratch(Path(folder) / "project", Path(folder) / "shared")
            seconds = {}
            # the first, whose time does not count, makes the data and compiles the steps
            for way, cells in ((BUNDLES, FEW), (BUNDLES, FEW), (BUNDLES, MANY), (JOBS, FEW)):
                project.change(lr=[0.001 * k for k in range(1, cells // 2 + 1)])
                shutil.rmtree(project / "results", ignore_errors=True)
                before = busy()
                project.run(*way, "--until", "settle_cells")
                seconds[way, cells] = busy() - before
        finally:
            slurm.end()
    few, many, jobs = seconds[BUNDLES, FEW], seconds[BUNDLES, MANY], seconds[JOBS, FEW]
    print(f"in bundles: {FEW} cells {few:.1f} s, {MANY} cells {many:.1f} s")
    print(f"a job for each: {FEW} cells {jobs:.1f} s")
    print(f"a cell in a bundle: {(many - few) / (MANY - FEW):.2f} s")
    print(f"a job for each cell: {(jobs - few) / FEW:.1f} s more")
    return 0


if __name__ == "__main__":
    sys.exit(main())
