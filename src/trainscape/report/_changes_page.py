"""What changed between two versions, as one self-contained page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from trainscape.analysis.changes import VERDICTS
from trainscape.files import write_text
from trainscape.report import _changes as words
from trainscape.report._sections import Image, image
from trainscape.report._write import asset, environment

if TYPE_CHECKING:
    from trainscape.analysis.changes import Comparison, Diff, Said


@dataclass(frozen=True)
class Section:
    """What the template shows of one comparison."""

    title: str
    identity: str
    method: str
    counts: dict[Said, int]
    unit: str
    cells: list[list[str]]
    more: int
    shifts: list[list[str]]
    images: list[Image]


def write(made: Diff, path: Path) -> None:
    """Write the page.

    Args:
        made: what changed.
        path: the file to write.
    """
    html = (
        environment()
        .get_template("changes.html.j2")
        .render(
            made=made,
            verdicts=VERDICTS,
            sections=[_section(found) for found in made.comparisons],
            times=words.time_words(made),
            steps=words.time_lines(made),
            css=asset("report.css"),
        )
    )
    write_text(path, html)


def _section(found: Comparison) -> Section:
    cells, more = words.listed(found, "worse", "better")
    settled = words.settled(found)
    return Section(
        words.title(found),
        words.identity(found),
        "" if settled else words.method(found),
        found.counts,
        words.units(found),
        words.cell_lines(found, cells),
        more,
        [] if settled else words.shift_lines(found),
        [] if settled else _images(found),
    )


def _images(found: Comparison) -> list[Image]:
    from trainscape.figures.changes import alt, draw  # what draws is slow to import

    with TemporaryDirectory() as folder:
        return [
            image(file, alt(title, [c for c in found.cells if _of(c.cell) == title]), "")
            for title, file in draw(found, Path(folder))
        ]


def _of(cell: tuple[str, str, int, float, str]) -> str:
    """The title of the heatmap that a cell is in."""
    return f"{cell[1]} · {cell[4]}"
