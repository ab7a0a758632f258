"""How every figure looks, and how it becomes the same bytes each time.

Text stays text (small files, searchable); a figure carries its own colours for light and dark, so
that it is legible wherever it is shown as an image.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from trainscape.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

INK, PAPER, MUTED, GRID = "#1c2128", "#fffffe", "#59636e", "#d8dee4"
STATE, HATCH = "#ececef", "#b4b4bd"  # cells without a value, and the lines across diverged ones
DARK = {
    INK: "#e8eaed",
    PAPER: "#16191d",
    MUTED: "#9ba5b0",
    GRID: "#343a41",
    STATE: "#2c3036",
    HATCH: "#5a616b",
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
RC: dict[Any, Any] = {  # matplotlib types each key by name
    "svg.hashsalt": "trainscape",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],  # ships with matplotlib: the layout is the same everywhere
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a label with two dollars is a label
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": PAPER,
    "axes.titlesize": 9.5,
    "axes.linewidth": 0.8,
    "figure.facecolor": PAPER,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "hatch.color": HATCH,
    "hatch.linewidth": 1.1,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as an SVG that depends on nothing but its content; gives its path."""
    buffer = io.StringIO()
    with mpl.rc_context(RC):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "Trainscape"})
    write_text(path, _with_dark_colours(buffer.getvalue()))
    return path


def _with_dark_colours(svg: str) -> str:
    """The drawing with a second set of colours for dark pages, and in the reader's sans-serif."""
    rules = [
        f'[style*="{name}: {light}"]{{{name}:{dark}!important}}'
        for light, dark in DARK.items()
        for name in ("fill", "stroke")
        if f"{name}: {light}" in svg
    ]
    style = (
        f"<style>text{{font-family:{FONT}}}"
        f"@media screen and (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
    )
    svg = svg.replace("font-family: 'DejaVu Sans'; ", "").replace(" 'DejaVu Sans'", f" {FONT}")
    return _without_waste(svg).replace("<defs>", f"{style}\n<defs>", 1)


def _without_waste(svg: str) -> str:
    """The drawing without what nobody sees: half of each file, and a report holds a hundred."""
    svg = re.sub(r"\s*<!--.*?-->", "", svg, flags=re.DOTALL)  # each text twice
    svg = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", svg)
    svg = re.sub(r'(?<= d=")[^"]*', _rounded_path, svg)
    svg = re.sub(r'\s*<g id="[^"]*"/>', "", svg)
    return re.sub(r"\n\s+", "\n", svg)


def _rounded_path(path: re.Match[str]) -> str:
    """A path on one line, to a hundredth of a point."""
    flat = re.sub(r"\s*\n", "", path[0])
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", flat)
