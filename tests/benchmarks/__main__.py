"""The benchmarks' command line: ``python -m benchmarks grid``, with tests/ and src/ on the path."""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.sizes import FULL, QUICK
from trainscape import source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.sizes import Sizes

# imported when asked for: a name and the module behind it
SUITES = {
    "grid": "grid",
    "mnist": "mnist",
    "engine": "rates",
    "orchestration": "orchestration",
    "increment": "increment",
    "page": "page",
    "scale": "scale",
}
ROOT = source.PACKAGE.parents[1]
PAGES = ROOT / "docs" / "benchmarks"
SCRATCH = ROOT / ".benchmarks" / "quick"  # not versioned


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are asked for; 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure, and write tables.")
    parser.add_argument("suites", nargs="*", metavar="NAME", help=f"all, {', '.join(SUITES)}")
    parser.add_argument("--quick", action="store_true", help="seconds, and worthless numbers")
    parser.add_argument(
        "--out", type=Path, help="folder of the results (docs/benchmarks; if quick, .benchmarks)"
    )
    args = parser.parse_args(argv)
    for name in args.suites:
        if name not in SUITES and name != "all":
            parser.error(f"unknown {name!r}; choose from all, {', '.join(SUITES)}")
    names = list(SUITES) if not args.suites or "all" in args.suites else args.suites
    sizes, out = (QUICK, args.out or SCRATCH) if args.quick else (FULL, args.out or PAGES)
    failed = [name for name in names if not _ran(name, sizes, out)]
    print(f"failed: {', '.join(failed)}" if failed else "all done", flush=True)
    return 1 if failed else 0


def _ran(name: str, sizes: Sizes, out: Path) -> bool:
    """Run one benchmark and write what it found; whether it came to its end."""
    print(f"=== {name}, {sizes.name}", flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        try:
            result = import_module(f"benchmarks.{SUITES[name]}").run(sizes, Path(folder) / name)
        except Exception:  # the other benchmarks can still be run
            traceback.print_exc()
            return False
    for file in result.write(out):
        print(file, flush=True)
    print(result.tables[0].text() if result.tables else "\n".join(result.notes), flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
