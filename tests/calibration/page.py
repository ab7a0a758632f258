"""The table of all claims, and a picture of the shares among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from calibration.rows import Row

INTRODUCTION = """# Calibration: do the claims hold?

`make calibrate` simulates studies whose truth is known, lets the functions of
`src/trainscape/statistics/` make their claims, and counts how often these are right. The truth is
fitted to the default study: its cells, their means, how much each varies from seed to seed,
accuracies in whole examples. "Noise" is the multiple of the fitted noise. A row without a target
only informs.
`make test` runs a short form with bounds as wide as thirty studies need.

Each family below is a file of [tests/calibration](../tests/calibration). {studies} studies each.
"""
LEFT, RIGHT, TOP, LINE = 430, 700, 30, 17  # pixels
LOWEST = 0.80  # of the picture's axis


def write(found: Mapping[str, Sequence[Row]], studies: int, folder: Path) -> list[Path]:
    """Write calibration.md and a picture for each family that has coverage to show.

    Args:
        found: the rows of each family, by its title.
        studies: how many were simulated.
        folder: where the page goes.
    """
    parts = [INTRODUCTION.format(studies=f"{studies:,}")]
    pages = []
    for title, rows in found.items():
        parts.append(f"## {title}\n")
        # what is to be rare lies beyond the axis: the table has it
        drawn = [r for r in rows if r.unit == "share" and r.target and r.high > LOWEST]
        if drawn:
            name = f"calibration-{'-'.join(title.lower().split())}.svg"
            write_text(folder / name, picture(title, drawn))
            pages.append(folder / name)
            parts.append(f"![{title}: shares and their bounds]({name})\n")
        parts.append(table(rows))
    write_text(folder / "calibration.md", "\n".join(parts))
    return [folder / "calibration.md", *pages]


def table(rows: Sequence[Row]) -> str:
    """Rows as markdown."""
    lines = ["| claim | noise | found | asked for | |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        verdict = ("met" if row.met() else "**not met**") if row.target else ""
        noise = "" if row.noise is None else f"× {row.noise:g}"
        lines.append(f"| {row.name} | {noise} | {row.shown} | {row.target} | {verdict} |")
    return "\n".join(lines) + "\n"


def picture(title: str, rows: Sequence[Row]) -> str:
    """A dot for each share, over a band for what was asked."""

    def x(share: float) -> float:
        inside = min(max(share, LOWEST), 1.0)
        return round(LEFT + (inside - LOWEST) / (1 - LOWEST) * (RIGHT - LEFT), 1)

    height = TOP + LINE * len(rows) + 10
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {RIGHT + 20} {height}" role="img"'
        f' aria-label="{title}" font-family="sans-serif" font-size="11">',
        f'<rect width="{RIGHT + 20}" height="{height}" fill="#fff"/>',
    ]
    for tick in (0.80, 0.85, 0.90, 0.95, 1.0):
        out.append(
            f'<path d="M{x(tick)} {TOP - 6}V{height - 8}" stroke="#ddd"/>'
            f'<text x="{x(tick)}" y="{TOP - 10}" text-anchor="middle" fill="#666">{tick:.0%}</text>'
        )
    for place, row in enumerate(rows):
        y = TOP + LINE * place + LINE // 2
        noise = "" if row.noise is None else f" (noise × {row.noise:g})"
        colour = "#1b6e3c" if row.met() else "#b3261e"
        out.append(
            f'<text x="{LEFT - 12}" y="{y + 4}" text-anchor="end">{_text(row.name + noise)}</text>'
            f'<rect x="{x(row.low)}" y="{y - 5}" width="{x(row.high) - x(row.low):.1f}" height="10"'
            f' fill="#cfe3f5"/><circle cx="{x(row.found)}" cy="{y}" r="3.5" fill="{colour}"/>'
        )
    return "\n".join([*out, "</svg>", ""])


def _text(words: str) -> str:
    """Words for XML."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
