"""How every figure looks, and how it becomes the same bytes each time.

Text stays text (small files, searchable); a figure carries its own colours for light and dark, so
that it is legible wherever it is shown as an image.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Literal
from xml.sax.saxutils import escape

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from trainscape.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

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


class Sheet(Figure):
    """A figure with lettering of its own, beside matplotlib's.

    A heatmap holds a hundred words. To lay them out took matplotlib two thirds of a figure's time;
    SVG centres a line by itself.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height))
        self.lettering: list[str] = []

    def letter(
        self,
        place: tuple[float, float],
        text: str,
        size: float,
        colour: str = INK,
        anchor: Literal["start", "middle", "end"] = "middle",
        style: str = "",
    ) -> None:
        """Write a line of text, centred on a height.

        Args:
            place: from the left and from the bottom, in points.
            text: the words.
            size: of the letters, in points.
            colour: of this module's, to have its counterpart in the dark; or any other.
            anchor: which part of the text is at the place.
            style: ``turned`` reads upward, ``bold`` is bold.
        """
        x, y = place[0], self.get_figheight() * 72 - place[1]
        turned = f' transform="rotate(-90 {x:.2f} {y:.2f})"' if style == "turned" else ""
        # half the height of a capital below its middle
        down = f'x="{x:.2f}" y="{y + 0.38 * size:.2f}"{turned}'
        bold = ' font-weight="700"' if style == "bold" else ""
        words = f'<text font-size="{size:g}" text-anchor="{anchor}" fill="{colour}"{bold} {down}>'
        self.lettering.append(f"{words}{escape(text)}</text>")

    def ground(self, place: tuple[float, float], text: str, size: float, colour: str) -> None:
        """Fill a box for text at a place, as :meth:`letter` takes it, in the middle."""
        wide, high = 0.6 * size * len(text) + 2, size + 2.4
        x, y = place[0] - wide / 2, self.get_figheight() * 72 - place[1] - high / 2
        box = f'x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{high:.2f}"'
        self.lettering.append(f'<rect fill="{colour}" {box}/>')


def canvas(width: float, height: float) -> Sheet:
    """An empty figure of so many inches; not pyplot's, which would keep every figure alive."""
    figure = Sheet(width, height)
    FigureCanvasAgg(figure)
    return figure


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches, so that facets have equal cells whatever their count."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def save(figure: Figure, path: Path) -> Path:
    """Write the figure as an SVG that depends on nothing but its content; gives its path."""
    buffer = io.StringIO()
    with mpl.rc_context(RC):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "Trainscape"})
    drawn = buffer.getvalue()
    if isinstance(figure, Sheet):
        drawn = drawn.replace("</svg>", "\n".join([*figure.lettering, "</svg>"]))
    write_text(path, _themed(drawn))
    return path


def _themed(svg: str) -> str:
    """Give the drawing a dark set of colours and the reader's own sans-serif."""
    rules = [
        f'[style*="{name}: {light}"],[{name}="{light}"]{{{name}:{dark}!important}}'
        for light, dark in DARK.items()
        for name in ("fill", "stroke")
        if f"{name}: {light}" in svg or f'{name}="{light}"' in svg
    ]
    style = (
        f"<style>text{{font-family:{FONT}}}"
        f"@media screen and (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
    )
    svg = svg.replace("font-family: 'DejaVu Sans'; ", "").replace(" 'DejaVu Sans'", f" {FONT}")
    return _slim(svg).replace("<defs>", f"{style}\n<defs>", 1)


def _slim(svg: str) -> str:
    """Drop what nobody sees: it is half of the file, and a report holds a hundred of them."""
    svg = re.sub(r"\s*<!--.*?-->", "", svg, flags=re.DOTALL)  # each text twice
    svg = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", svg)
    svg = re.sub(r'(?<= d=")[^"]*', _rounded, svg)
    svg = re.sub(r'\s*<g id="[^"]*"/>', "", svg)
    return re.sub(r"\n\s+", "\n", svg)


def _rounded(path: re.Match[str]) -> str:
    """A path on one line, to a hundredth of a point."""
    flat = re.sub(r"\s*\n", "", path[0])
    return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", flat)
