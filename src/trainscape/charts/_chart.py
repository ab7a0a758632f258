"""A chart in the two forms that the page holds: a still picture, and a program for Vega.

Both come from one Altair chart, so they cannot differ. The still picture is there at once, without
a script and on paper; the page's script puts the live one in its place when a reader gets to it.
Colours are the page's own CSS variables: a chart follows a dark page by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import matplotlib
import vl_convert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
MEASURED = "DejaVu Sans"  # which comes with matplotlib
COLOURS = 8  # --c1 to --c8 in the page's style; a ninth optimizer has the first again
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
WIDTH = 560  # of the still picture's plot, in CSS pixels; the live one fits its place
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "domainColor": "var(--line)",
        "gridColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelColor": "currentColor",
        "labelFontSize": 11,
        "titleColor": "var(--muted)",
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "titlePadding": 6,
    },
    "legend": {
        "labelColor": "currentColor",
        "labelFontSize": 11,
        "titleColor": "var(--muted)",
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "orient": "top",
    },
    "text": {"fill": "currentColor", "fontSize": 11},
}
# What a reader of the picture does not see; its words stand beside it.
UNSEEN = re.compile(
    r' (?:role|class|aria-[a-z]+|xmlns(?::xlink)?|version|pointer-events|font-family)="[^"]*"'
    r'| (?:opacity|stroke-opacity|fill-opacity)="1"| transform="translate\(0,0\)"'
)
NOTHING = re.compile(
    r'<path d="(?:M0,0h0v0h0Z)?"[^>]*/>|<path d="M[\d.,h-]*v[\d.h-]*Z"/>'  # grounds of groups
    r'|<[a-z]+ [^>]*\bopacity="0"[^>]*/>|<g(?: [^>]*)?></g>|<g(?: [^>]*)?/>'
)
TAG = re.compile(r"<[^>]*>")
LONG = re.compile(r"(\d\.\d\d)\d+")


@dataclass(frozen=True)
class Chart:
    """One chart of one workload.

    Args:
        kind: its name, which the page's script knows it by.
        words: what it shows, for those who do not see it.
        svg: the still picture.
        vega: the program of the live one, in Vega's language; its ``width`` is a signal.
        caption: how to read it, for everyone.
        clicks: what a click does, for those whose page has a script.
    """

    kind: str
    words: str
    svg: str
    vega: dict[str, Any]
    caption: str = ""
    clicks: str = ""


def on(rows: Sequence[Any], name: str = "") -> alt.Chart:
    """A chart of rows; the page's script can put others in their place by ``name``."""
    named = {"name": name} if name else {}
    return alt.Chart({"values": list(rows), **named})


def sized(
    chart: alt.TopLevelMixin, height: float | alt.Step, *, resize: bool = False
) -> alt.TopLevelMixin:
    """The chart in its size: of a plot's width, axes included, as wide as its place when live.

    Args:
        chart: layers on one plot.
        height: of the plot, in CSS pixels or by its rows.
        resize: whether the room for its axes may change with what a reader chooses.
    """
    fit = alt.AutoSizeParams(
        type="fit-x", contains="padding", resize=True if resize else alt.Undefined
    )
    return chart.properties(width=WIDTH, height=height, autosize=fit)


def made(
    kind: str, chart: alt.TopLevelMixin, words: str, caption: str = "", clicks: str = ""
) -> Chart:
    """Draw a chart and compile it.

    Args:
        kind: its name.
        chart: a single or layered Altair chart, with its rows; whatever its size, it has one
            plot, so that the page can set its width.
        words: what it shows.
        caption: how to read it.
        clicks: what a click does.
    """
    # Altair checks what is written when it is made, and would check every row of data here
    spec = {**chart.to_dict(validate=False), "config": CONFIG}
    vega = vl_convert.vegalite_to_vega(spec)
    vega.pop("$schema", None)
    for axis in vega.get("axes", ()):  # a name beside a line is clicked as the line is
        axis.setdefault("encode", {}).setdefault("labels", {})["interactive"] = True
    _know_the_font()
    svg = vl_convert.vegalite_to_svg({**spec, "config": {**CONFIG, "font": MEASURED}})
    return Chart(kind, words, still(svg), vega, caption, clicks)


def signals(values: Mapping[str, Any]) -> list[alt.Parameter]:
    """What a reader may choose, by name, with what is chosen at first."""
    return [alt.param(name=name, value=value) for name, value in values.items()]


@cache
def _know_the_font() -> None:
    """Let texts be measured by a font that is the same everywhere, and wider than most."""
    vl_convert.register_font_directory(str(Path(matplotlib.get_data_path(), "fonts/ttf")))


def still(svg: str) -> str:
    """A picture as Vega draws it, without what nobody sees: half of it.

    Its texts are in the font of the page.
    """
    svg = UNSEEN.sub("", svg)
    before = None
    while before != svg:  # a group that only held empty groups is empty
        before, svg = svg, NOTHING.sub("", svg)
    return TAG.sub(lambda tag: LONG.sub(r"\1", tag[0]), svg)  # texts between tags keep their digits


def colours(names: Sequence[str]) -> list[str]:
    """A colour of the page's style for each name, in the study's order."""
    return [f"var(--c{index % COLOURS + 1})" for index in range(len(names))]


def shapes(names: Sequence[str]) -> list[str]:
    """A shape for each name: colour alone tells nothing to some readers."""
    return [SHAPES[index % len(SHAPES)] for index in range(len(names))]
