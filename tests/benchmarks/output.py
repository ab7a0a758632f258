"""Results as strict JSON and as a table, each naming the machine. No date, no path, no host."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainscape import hardware
from trainscape.files import write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

EMPTY = "–"


@dataclass(frozen=True)
class Table:
    """A table for people.

    Args:
        columns: their headers, by the keys of the rows.
        rows: a mapping each; a key that is missing or None shows as a dash.
        title: what stands above it.
    """

    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    title: str = ""

    def text(self) -> str:
        """As markdown."""
        lines = [list(self.columns.values()), ["---"] * len(self.columns)]
        lines += [[shown(row.get(key)) for key in self.columns] for row in self.rows]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"## {self.title}\n\n{body}" if self.title else body


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Args:
        name: of the benchmark, and of its files.
        title: the heading.
        command: that repeats it.
        sizes: ``full``, or ``quick`` for numbers that are worth nothing.
        data: plain data.
        tables: for people.
        notes: how the numbers came about, a sentence or two each.
        pictures: SVG by the name of its file.
    """

    name: str
    title: str
    command: str
    sizes: str
    data: Mapping[str, Any]
    tables: Sequence[Table]
    notes: Sequence[str] = field(default=())
    pictures: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> list[Path]:
        """Write ``<name>.json`` and ``<name>.md``; the files."""
        machine = {**hardware.describe(), "load": round(os.getloadavg()[0], 2)}
        head = {"benchmark": self.name, "sizes": self.sizes, "machine": machine}
        files = [folder / f"{self.name}.json", folder / f"{self.name}.md"]
        write_json(files[0], {**head, **self.data, "notes": list(self.notes)})
        write_text(files[1], self.text(machine))
        for name, svg in self.pictures.items():
            write_text(folder / name, svg)
        return [*files, *(folder / name for name in self.pictures)]

    def text(self, machine: Mapping[str, Any]) -> str:
        """As a page of markdown."""
        parts = [f"# {self.title}", describe(machine), f"Repeat it with `{self.command}`."]
        if self.sizes != "full":
            parts.append("**Quick sizes: these numbers are worth nothing.**")
        parts += [table.text() for table in self.tables]
        parts.append("\n".join(f"- {note}" for note in self.notes))
        return "\n\n".join(part for part in parts if part) + "\n"


def describe(machine: Mapping[str, Any]) -> str:
    """The machine in a line."""
    parts = [
        f"{machine['cpu']} ({machine['isa']}), {machine['cores']} cores",
        f"{machine['memory_gib']} GiB",
        machine["gpu"] or "no GPU",
        f"torch {machine['torch']}, Python {machine['python']}",
        f"load at the end {machine['load']}",
    ]
    return "; ".join(parts) + "."


def shown(value: object) -> str:
    """A value of a table: numbers to three digits."""
    if value is None:
        return EMPTY
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
