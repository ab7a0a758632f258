"""Damage a small study at random: ``python -m chaos``, with tests/ and src/ on the path."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.faults import AMID, AT_REST, MOUNTED
from chaos.rounds import Drill, can_mount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.rounds import Result

SHOWN = 4000  # characters of what a bad round has said


def main(argv: Sequence[str] | None = None) -> int:
    """Run rounds and print what they came to; 1 if the study did not survive one."""
    parser = argparse.ArgumentParser(prog="chaos", description="Damage a small study at random.")
    parser.add_argument("--rounds", type=int, default=50, metavar="N", help="how many (50)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first's number (0)")
    parser.add_argument("--seed", type=int, default=0, help="of all chance (0)")
    parser.add_argument("--most", type=int, default=3, metavar="N", help="faults at once (3)")
    parser.add_argument("--faults", nargs="+", metavar="NAME", help="choose from these alone")
    args = parser.parse_args(argv)
    known = [*AT_REST, *AMID, *MOUNTED]
    for name in args.faults or ():
        if name not in known:
            parser.error(f"unknown {name!r}; choose from {', '.join(known)}")
    if not can_mount():
        print(f"left out, as nothing can be mounted here: {', '.join(MOUNTED)}")
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        drill = Drill(Path(folder).resolve(), args.seed)
        print(f"{len(drill.end)} files; undisturbed {drill.usual:.0f} s", flush=True)
        for number in range(args.first, args.first + args.rounds):
            names = drill.chosen(number, args.most, args.faults)
            results.append(drill.round(number, names))
            print(told(results[-1]), flush=True)
    print("\n".join(table(results)))
    return 0 if all(result.good for result in results) else 1


def told(result: Result) -> str:
    """A round in a line; of a bad one all there is to know."""
    about = f"round {result.number}, {result.seconds:.0f} s: {'; '.join(result.faults)}"
    if result.good:
        unlocked = ", after --unlock" if result.unlocked else ""
        return f"{about}: survived, {result.trained} cells to train{unlocked}"
    lines = [f"{about}: NOT SURVIVED"]
    lines += [f"  lost: {name}" for name in result.lost]
    lines += [f"  wrong: {name}" for name in result.wrong]
    lines += [f"  hangs: {result.hangs}"] if result.hangs else []
    said = [("failed", result.failed)] if result.failed else []
    said += [("traceback", text) for text in result.tracebacks]
    lines += [f"  {what}:\n{text[-SHOWN:]}" for what, text in said]
    return "\n".join(lines)


def table(results: Sequence[Result]) -> list[str]:
    """What rounds came to, as a table in Markdown: a row per fault, then the sum."""
    head = ("fault", "rounds", "lost", "wrong", "hangs", "tracebacks", "failed")
    rows = []
    for name, count in sorted(Counter(n for r in results for n in r.faults).items()):
        rows.append((name, count, *_sums([r for r in results if name in r.faults])))
    rows.append(("all rounds", len(results), *_sums(results)))
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return [*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)]


def _sums(results: Sequence[Result]) -> tuple[int, ...]:
    return (
        sum(len(r.lost) for r in results),
        sum(len(r.wrong) for r in results),
        sum(r.hangs for r in results),
        sum(len(r.tracebacks) for r in results),
        sum(bool(r.failed) for r in results),
    )


if __name__ == "__main__":
    sys.exit(main())
