"""How what is measured grows with the number of cells: an exponent, and a picture of all."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

if TYPE_CHECKING:
    from collections.abc import Mapping

# text as text: the file stays small, and git shows readable differences
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "scale", "font.size": 8}


def exponent(by_cells: Mapping[int, float]) -> float | None:
    """The slope in log-log of the two largest sizes; None where there are fewer than two.

    >>> exponent({1: 9.0, 10: 2.0, 1000: 200.0}), exponent({1: 1.0})
    (1.0, None)
    """
    if len(by_cells) < 2:
        return None
    (small, little), (large, much) = sorted(by_cells.items())[-2:]
    return math.log(much / little) / math.log(large / small)


def picture(lines: Mapping[str, Mapping[int, float]]) -> str:
    """Seconds of a core by cells, both logarithmic, as SVG: a line for each name."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.add_subplot(
            xscale="log",
            yscale="log",
            xlabel="cells",
            ylabel="seconds of a core, start-up included",
        )
        for count, (name, by_cells) in enumerate(lines.items()):
            mark = "os^vDPX*"[count % 8]
            axes.plot(*zip(*by_cells.items(), strict=True), mark, ls="-", ms=4, lw=1, label=name)
        sizes = sorted({cells for by_cells in lines.values() for cells in by_cells})
        linear = [10 * cells / sizes[-1] for cells in sizes]
        axes.plot(sizes, linear, color="grey", ls=":", label="linear growth")
        axes.set_xticks(sizes, minor=False)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(lw=0.3)
        figure.legend(loc="outside right upper", frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
