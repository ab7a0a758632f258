"""The pictures of what was found: which there are, and that they show what was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape.answers._laid import laid
from trainscape.answers._rates import over_rates
from trainscape.figures.answers.batches import batch_scaling
from trainscape.figures.answers.forgiving import safe_rate
from trainscape.figures.answers.importance import importance
from trainscape.figures.answers.optimizers import optimizers
from trainscape.figures.answers.scaling import lr_scaling
from trainscape.figures.answers.told import components, shown, words
from trainscape.figures.answers.told import over_rates as shown_rates
from trainscape.figures.names import Counts, Labels, Wanted, listed, of_answers
from trainscape.figures.style import INK, RC
from trainscape.numerals import hundredths
from trainscape.report._gallery import TITLES, gallery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from trainscape.analysis import Row

KINDS = ["optimizers", "safe-rate", "lr-scaling", "batch-scaling", "importance"]


@pytest.fixture(autouse=True)
def _looks() -> Iterator[None]:
    """Figures are drawn as the stage draws them."""
    with mpl.rc_context(RC):
        yield


@pytest.fixture(scope="module")
def made() -> MadeUp:
    """A study with three optimizers, four batch sizes, five rates and two schedules."""
    return MadeUp(synthetic.study(), measured=None)


def said(figure: Figure) -> set[str]:
    """All words of a figure."""
    own = {text.get_text() for text in figure.findobj(mpl.text.Text)}
    return {text for text in own if text}


def marked(axes: Axes, marker: str) -> list[Line2D]:
    """The lines of a panel that have a kind of mark."""
    return [line for line in axes.lines if line.get_marker() == marker]


def points(line: Line2D) -> list[tuple[float, float]]:
    """Where a line goes."""
    return [(float(x), float(y)) for x, y in np.asarray(line.get_xydata(), dtype=np.float64)]


@pytest.mark.parametrize(
    ("counts", "validation", "whole", "kinds"),
    [
        (Counts(6, 5, 7, 4), True, True, KINDS),
        (Counts(6, 5, 7, 4), False, True, ["lr-scaling", "importance"]),
        (Counts(6, 5, 7, 4), True, False, ["optimizers", "importance"]),
        (Counts(1, 2, 3, 1), True, True, ["safe-rate", "lr-scaling", "importance"]),
        (Counts(2, 1, 2, 1), True, True, ["optimizers", "importance"]),
        (Counts(1, 1, 2, 1), True, True, []),
    ],
)
def test_a_study_has_the_pictures_that_it_can_fill(
    counts: Counts, validation: bool, whole: bool, kinds: list[str]
) -> None:
    """No comparison of one optimizer, no line through two rates, no choice without validation."""
    assert of_answers(counts, validation=validation, whole=whole) == kinds


def test_a_picture_that_an_article_asks_for_too_is_listed_once() -> None:
    """One drawing serves the answer and the article."""
    labels = Labels(["w"], ["sgd"], ["constant"])
    wanted = Wanted(validation=False, answers=["lr-scaling"], articles=["lr-scaling"])
    paths = [figure.path for figure in listed(labels, wanted)]
    assert paths.count("w/lr-scaling/lr-scaling.svg") == 1
    alone = listed(labels, Wanted(validation=False, articles=["lr-scaling"]))
    assert "w/lr-scaling/lr-scaling.svg" in [figure.path for figure in alone]


def test_every_optimizer_has_a_row_with_its_intervals_and_its_verdict(made: MadeUp) -> None:
    """Lines end where the intervals do, the band is the margin, and the verdict is a word."""
    found = made.found["digits-mlp"]
    figure = optimizers("digits-mlp", found)
    left, right = figure.axes
    texts = said(figure)
    assert {row["optimizer"] for row in found["optimizers"]} <= texts
    names = [label.get_text() for label in left.get_yticklabels()]
    for row in found["optimizers"]:
        place = names.index(row["optimizer"])
        drawn = [points(line) for line in left.lines]
        for bounds in (("low", "high"), ("new_low", "new_high")):
            assert [(row["test"][end], place) for end in bounds] in drawn
        if row["difference"] is not None:
            ends = [(row["difference"][end], place) for end in ("low", "high")]
            assert ends in [points(line) for line in right.lines]
    assert "reference" in texts
    assert texts & {"better", "worse", "equal", "not told apart"}
    [band] = right.patches
    assert band.get_extents().width == pytest.approx(
        np.ptp(right.transData.transform([(-found["margin"], 0), (found["margin"], 0)])[:, 0])
    )


def test_the_line_of_alpha_has_its_slope_and_open_triangles_end_the_axis(made: MadeUp) -> None:
    """A panel an optimizer; α and its interval stand above it."""
    found = made.found["digits-mlp"]
    figure = lr_scaling("title", found["scaling"], found["rates"])
    rows = {row["optimizer"]: row for row in found["scaling"] if row["schedule"] == "all schedules"}
    assert len(figure.axes) == 3
    for axes, name in zip(figure.axes, ("sgd", "momentum", "adam"), strict=True):
        own = [row for row in found["rates"] if row["optimizer"] == name]
        row = rows.get(name)
        black = [line for line in axes.lines if line.get_color() == INK]
        if row is None or row["exponent"] is None:
            assert black == []
        else:
            (x0, y0), (x1, y1) = points(black[0])
            assert math.log(y1 / y0) / math.log(x1 / x0) == pytest.approx(row["exponent"])
            assert any(f"α = {hundredths(row['exponent'])}" in text for text in said(figure))
        for side, marker in (("highest", "^"), ("lowest", "v")):
            ended = {(row["batch_size"], row["lr"]) for row in own if row["side"] == side}
            assert {place for line in marked(axes, marker) for place in points(line)} == ended
    assert any(row["side"] for row in found["rates"])


def test_bars_end_where_the_rates_within_the_margin_do(made: MadeUp) -> None:
    """Each optimizer has its name, its line and its bar."""
    found = made.found["digits-mlp"]
    order = ["sgd", "momentum", "adam"]
    figure = safe_rate("digits-mlp", found, order)
    upper, lower = figure.axes
    over = shown_rates(found)
    names = [label.get_text() for label in lower.get_yticklabels()]
    assert names == [name for name in order if name in over]
    for place, name in enumerate(names):
        ends = [(over[name]["width"][end], place) for end in ("low", "high")]
        assert ends in [points(line) for line in lower.lines]
        known = [(r["lr"], r["mean"]) for r in over[name]["rates"] if r["mean"] is not None]
        assert set(known) <= {place for line in upper.lines for place in points(line)}


def test_the_metric_over_rates_is_that_of_the_best_schedule(made: MadeUp) -> None:
    """At each rate the best mean over schedules, its spread over seeds, none where all diverged."""
    found = made.found["digits-mlp"]
    name = found["optimizers"][0]["optimizer"]
    row = shown_rates(found)[name]
    own = made.trials[made.trials["optimizer"] == name]
    own = own[own["batch_size"] == row["batch_size"]]
    for rate in row["rates"]:
        cells = own[own["lr"] == rate["lr"]].groupby("schedule")["val_metric"]
        whole = {name: values for name, values in cells if values.notna().all()}
        if not whole:
            assert rate["mean"] is None
            continue
        best = max(whole, key=lambda name: float(whole[name].mean()))
        assert rate["schedule"] == best
        assert rate["mean"] == pytest.approx(float(whole[best].mean()), abs=1e-6)
        assert (rate["least"], rate["most"]) == pytest.approx(
            (float(whole[best].min()), float(whole[best].max())), abs=1e-6
        )


def test_an_open_end_has_an_arrow(made: MadeUp) -> None:
    """Where the grid ends before the bar does, the picture says so; without a basin, no bar."""
    found: dict[str, Any] = dict(made.found["digits-mlp"])
    name = found["optimizers"][0]["optimizer"]
    row = shown_rates(found)[name]
    for opened in (False, True):
        rows = [{**row, "width": {**row["width"], "open_high": opened}}]
        told = {**found, "optimizers": found["optimizers"][:1], "sensitivity": rows}
        figure = safe_rate("digits-mlp", told, [name])
        assert len(marked(figure.axes[1], mpl.markers.CARETRIGHTBASE)) == opened  # type: ignore[arg-type]


def fit(**about: Any) -> Row:
    """A row of a fit, B_crit being 64."""
    row = {"optimizer": "sgd", "schedule": "constant", "critical": 64.0, "low": 40.0}
    return {**row, "high": 90.0, "least_steps": 50.0, "warning": None, **about}


def test_the_schedule_that_tells_most_is_shown() -> None:
    """A fit before none, and of fits the one whose rate holds."""
    falls = fit(schedule="cosine", warning="the rate falls")
    none = fit(critical=None)
    assert shown([falls, fit()]) == [fit()]
    assert shown([none, falls]) == [falls]
    assert shown([none]) == [none]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({}, "B_crit = 64 (40 to 90)"),
        ({"high": None}, "B_crit = 64 (≥ 40)"),
        ({"low": 0.0}, "B_crit = 64 (≤ 90)"),
        ({"critical": None, "low": 1148.2, "high": None}, "B_crit ≥ 1148"),
        ({"critical": None, "low": 0.0, "high": None}, "B_crit: not known"),
        ({"critical": 3.456, "low": 1.0, "high": 9.87}, "B_crit = 3.5 (1 to 9.9)"),
    ],
)
def test_the_critical_batch_is_said_with_its_bounds(about: Any, expected: str) -> None:
    """A missing bound is none, not zero or endless."""
    assert words(fit(**about)) == expected


def test_an_exponent_is_said_with_the_bounds_that_it_has() -> None:
    """Above a panel: both bounds, one of them, or that there is none."""
    ends = [(-0.2, 0.6), (0.2, None), (None, 0.9), (None, None), (-0.001, 0.1)]
    common = {"optimizer": "sgd", "schedule": "constant", "exponent": 0.5}
    rates = [{**common, "batch_size": size, "lr": 0.1, "side": None} for size in (16, 64)]
    expected = ("−0.20 to 0.60", "≥ 0.20", "≤ 0.90", "no bounds", "0.00 to 0.10")
    for (low, high), bounds in zip(ends, expected, strict=True):
        figure = lr_scaling("title", [{**common, "low": low, "high": high}], rates)
        assert f"α = 0.50 ({bounds})" in said(figure)


def test_the_critical_batch_stands_where_steps_are_twice_the_fewest() -> None:
    """The diamond lies on the fitted curve; perfect scaling goes through the first point."""
    steps = [
        {"optimizer": "sgd", "schedule": "constant", "batch_size": size, "side": None}
        | {"steps_at_best": 50.0 * (1 + 64 / size)}
        for size in (16, 64, 256)
    ]
    noise = [{"optimizer": "sgd", "noise_scale": 100.0}]
    figure = batch_scaling("title", [fit()], steps, noise)
    (axes,) = figure.axes
    [diamond] = marked(axes, "D")
    assert points(diamond)[0] == pytest.approx((64.0, 100.0))
    dashed = next(points(line) for line in axes.lines if line.get_linestyle() == "--")
    assert [x * y for x, y in dashed] == pytest.approx([16 * 250.0] * 2)
    assert [(100.0, 0.0), (100.0, 0.08)] in [points(line) for line in axes.lines]
    legend = {text.get_text() for text in figure.legends[-1].get_texts()}
    assert "noise scale" in legend
    without = batch_scaling("title", [fit()], steps, [])
    assert "noise scale" not in said(without)


def share(component: str, value: float | None, region: str = "grid") -> Row:
    """A row of what matters."""
    row = {"component": component, "share": value, "region": region, "note": "why"}
    return {**row, "low": value and value - 0.01, "high": value and value + 0.01}


def test_what_matters_is_shown_from_the_greatest() -> None:
    """Each component once, by the greatest of either region; next to nothing is left out."""
    rows = [share("lr", 0.5), share("schedule", 0.002), share("optimizer", 0.02)]
    rows += [share("optimizer", 0.7, "best lr"), share("schedule", 0.004, "best lr")]
    assert components(rows) == ["optimizer", "lr"]
    figure = importance("title", rows)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["optimizer", "lr"]
    assert [points(line)[0][0] for line in marked(axes, "s") if points(line)] == [0.7]
    assert "why" in said(importance("title", [share("lr", None)]))


def test_nothing_found_is_drawn_as_words() -> None:
    """Where no cell ended well, every picture says so instead of failing."""
    nothing = {"optimizers": [], "margin": 0.005}
    for figure in (
        optimizers("digits-mlp", nothing),
        safe_rate("digits-mlp", nothing, ["sgd"]),
        lr_scaling("title", [], []),
        batch_scaling("title", [], [], []),
        importance("title", []),
    ):
        assert len(said(figure)) > 1


def test_a_rate_without_a_value_has_none() -> None:
    """Rates at which seeds diverged stay in the list, so that the line has a gap."""
    made = MadeUp(synthetic.study(optimizers=("sgd",), lrs=(0.1, 1e3)), measured=None)
    from trainscape import analysis

    cells = analysis.Cells.of(made.trials, 287, 360)
    rows = over_rates(laid(cells), 0.005)
    assert [row["batch_size"] for row in rows] == [16, 64, 256, 1024]
    for row in rows:
        assert [rate["lr"] for rate in row["rates"]] == [0.1, 1e3]
        assert row["rates"][1]["mean"] is None
        width = {"low": 0.1, "high": 0.1, "open_low": True, "open_high": False}
        assert (row["best"], row["width"]) == (0.1, width)


def test_each_picture_is_in_the_gallery_with_words(tmp_path: Path) -> None:
    """Under its kind, with words for those who cannot see it, and below it for everyone."""
    made = MadeUp(synthetic.study(), measured=None)
    made.draw(tmp_path)
    found = {part["title"]: part["figures"] for part in gallery(made.page(tmp_path))}
    for kind in ("optimizers", "safe-rate", "lr-scaling", "batch-scaling", "importance"):
        (figure,) = found[TITLES[kind]]
        assert len(figure["alt"]) > 30
        assert len(figure["caption"]) > 30
