"""Do the claims hold? ``python -m calibration``, with tests/ and src/ on the path.

A family of statistics is a file beside this one with ``TITLE`` and
``run(studies, generator) -> list[Row]``; it is found by itself.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibration.page import table, write
from calibration.truth import fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration.rows import Row

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
STUDIES = 1_000
PROCESSES = 2


def families() -> list[str]:
    """The names of all files with a ``run``, in the order of the alphabet."""
    names = sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_"))
    return [name for name in names if hasattr(import_module(f"calibration.{name}"), "run")]


def calibrate(name: str, studies: int) -> tuple[str, list[Row]]:
    """The title and rows of one family; its random numbers are named after it."""
    module = import_module(f"calibration.{name}")
    generator = np.random.Generator(np.random.PCG64(list(f"calibration {name}".encode())))
    return module.TITLE, module.run(studies, generator)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, print the tables and write them; 1 if a claim does not hold."""
    parser = argparse.ArgumentParser(prog="calibration", description="Simulate, count, write.")
    parser.add_argument("names", nargs="*", metavar="FAMILY", help=", ".join(families()))
    parser.add_argument("--studies", type=int, default=STUDIES, help="how many are simulated")
    parser.add_argument("--out", type=Path, help="folder of the page (docs, if all families run)")
    parser.add_argument("--fit", action="store_true", help="fit the truth to results/trials.csv")
    args = parser.parse_args(argv)
    if args.fit:
        fit()
        return 0
    for name in args.names:
        if name not in families():
            parser.error(f"unknown {name!r}; choose from {', '.join(families())}")
    names = args.names or families()
    with ProcessPoolExecutor(PROCESSES) as pool:
        found = dict(pool.map(calibrate, names, [args.studies] * len(names)))
    for title, rows in found.items():
        print(f"{title}\n\n{table(rows)}")
    out = args.out or (DOCS if not args.names else None)
    if out:
        for file in write(found, args.studies, out):
            print(file)
    lost = [row.name for rows in found.values() for row in rows if not row.met()]
    print("not met: " + "; ".join(lost) if lost else "all met")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
