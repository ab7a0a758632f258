"""A workflow of trivial cells: what Snakemake and an executor cost when the work costs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.clock import timed
from trainscape import source

if TYPE_CHECKING:
    from pathlib import Path

SNAKEFILE = """
rule all:
    input:
        expand("out/{{n}}.txt", n=range({cells})),


rule cell:
    output:
        "out/{{n}}.txt",
    log:
        "logs/{{n}}.log",
    params:
        bundle="cells",
        bundle_command="{python} touch.py",
    shell:
        "touch {{output}}"
"""
# what a bundle's process does: each output appears whole
TOUCH = """
import json, os, sys

with open(sys.argv[-1]) as lines:
    for line in lines:
        for output in json.loads(line)["output"]:
            open(output + ".half", "w").close()
            os.rename(output + ".half", output)
"""
# the default profile's way: all ready jobs are handed over at once, and picked without solving
PROFILE = ("--scheduler", "greedy", "--max-jobs-per-timespan", "100000/1s")
EXECUTORS = {"fuse": ("--executor", "fuse", "--jobs", "100000"), "local": ("--executor", "local")}
LIMIT = 3600  # seconds


class Toy:
    """A folder with the workflow.

    Args:
        folder: made here.
        cells: how many jobs it has.
    """

    def __init__(self, folder: Path, cells: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        text = SNAKEFILE.format(cells=cells, python=sys.executable)
        (folder / "Snakefile").write_text(text, encoding="utf-8")
        (folder / "touch.py").write_text(TOUCH, encoding="utf-8")

    def seconds(self, *words: str) -> float:
        """The time of ``snakemake --cores all`` with further words, which must succeed."""
        return timed(lambda: self.run(*words))

    def run(self, *words: str) -> None:
        """Run it to a good end.

        Raises:
            RuntimeError: it fails; says how.
        """
        command = [sys.executable, "-m", "snakemake", *PROFILE, "--cores", "all", "--quiet", "all"]
        done = subprocess.run(
            [*command, *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(source.PACKAGE.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"snakemake {words}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def made(self) -> int:
        """How many outputs are there."""
        return sum(1 for _ in (self.folder / "out").glob("*.txt"))
