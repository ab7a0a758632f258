"""The charts below the first screen: what they show is what was found, whatever is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape.charts._chart import Chart, on, still
from trainscape.charts.cost import SPAN, cost
from trainscape.charts.curves import curves
from trainscape.charts.failures import failures
from trainscape.charts.forest import forest
from trainscape.charts.matters import matters
from trainscape.charts.sensitivity import safe_rates
from trainscape.numerals import duration, number
from trainscape.report._optimizers import optimizers

if TYPE_CHECKING:
    from trainscape.analysis import Row

NAME = "digits-mlp"


@pytest.fixture(scope="module")
def made() -> MadeUp:
    """Three optimizers, two batch sizes, three rates; step times measured."""
    return MadeUp(synthetic.study(batch_sizes=(16, 256), lrs=(0.003, 0.1, 1.0)))


def rows(chart: Chart | None, name: str = "rows") -> list[Row]:
    """The rows that a chart draws."""
    assert chart is not None
    found: list[Row] = next(d["values"] for d in chart.vega["data"] if d["name"] == name)
    return found


def found(made: MadeUp, **changes: Any) -> dict[str, Any]:
    """What was found, with changes."""
    return {**made.found[NAME], **changes}


def drawn_cost(made: MadeUp, **changes: Any) -> Chart | None:
    """The chart of what accuracy costs."""
    front = [row["digest"] for row in made.cells if row["steps_to_target"]][:2]
    times = {"pareto": {NAME: front}, "pareto_by": {NAME: changes.pop("by", "seconds")}}
    return cost(NAME, found(made, **changes), made.cells, times, made.labels.optimizers)


def test_the_forest_has_every_reference(made: MadeUp) -> None:
    """A family for each; differences are those of the claims, in points."""
    own = rows(forest(NAME, found(made)))
    names = {row["optimizer"] for row in made.found[NAME]["optimizers"]}
    assert {(row["reference"], row["optimizer"]) for row in own} == {
        (a, b) for a in names for b in names
    }
    for reference, family in made.found[NAME]["against"].items():
        for row in family:
            shown = next(
                r for r in own if (r["reference"], r["optimizer"]) == (reference, row["optimizer"])
            )
            assert shown["mean"] == pytest.approx(100 * row["difference"]["mean"])
            assert row["verdict"] in shown["label"]
    assert forest(NAME, found(made, optimizers=made.found[NAME]["optimizers"][:1])) is None


def test_one_seed_has_points_without_lines() -> None:
    """Nothing is invented where no interval is known."""
    one = MadeUp(synthetic.study(seeds=(0,), batch_sizes=(16,), lrs=(0.1, 1.0)))
    for row in rows(forest(NAME, one.found[NAME])):
        assert row["low"] is None and row["high"] is None


def test_differences_of_millions_have_words() -> None:
    """A loss is in its own unit, whatever its size; the margin's unit is not said twice."""
    name = synthetic.regression()
    own = MadeUp(synthetic.study(name, batch_sizes=(16,), lrs=(0.1, 1.0))).found[name]
    for family in own["against"].values():
        for row in family:
            row["difference"] = {"mean": 2.32e7, "low": -1e6, "high": 4e7}
    for row in own["optimizers"]:
        row["difference"] = row["difference"] and {"mean": -2.32e7, "low": -4e7, "high": 1e6}
    chart = forest(name, own)
    assert chart is not None
    assert "+23.2M (−1M to +40M)" in chart.words
    assert f"within {number(own['margin'])} it makes no difference" in chart.caption
    claim = optimizers(name, own)
    assert claim is not None and claim.table is not None
    said = [field.text for fields in claim.table.rows for field in fields]
    assert "−23.2M (−40M to +1M)" in said


@pytest.mark.parametrize(("margin", "words"), [(0.01, "1 point "), (0.005, "0.5 points ")])
def test_one_point_is_one_point(made: MadeUp, margin: float, words: str) -> None:
    """The margin in words, the same in every chart."""
    own = found(made, margin=margin)
    for chart in (forest(NAME, own), safe_rates(NAME, own, made.labels.optimizers)):
        assert chart is not None
        assert f"within {words}" in chart.caption


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2e-5, "20 µs"), (0.5, "500 ms"), (50, "50 s"), (5000, "83.3 min"), (7200, "2 h")],
)
def test_an_axis_of_times_has_the_units_of_all_times(seconds: float, words: str) -> None:
    """From microseconds to hours, as everywhere on the page."""
    import vl_convert

    assert duration(seconds) == words
    axis = alt.Axis(values=[seconds], labelExpr=SPAN)
    scale = alt.Scale(type="log", domain=[seconds / 2, 2 * seconds])
    chart = on([{"at": seconds}]).mark_point().encode(x=alt.X("at:Q", axis=axis, scale=scale))
    assert f">{words}<" in vl_convert.vegalite_to_svg(chart.to_dict())


def test_cost_shows_intervals_where_they_are_known(made: MadeUp) -> None:
    """Each optimizer's best at its time, with the claim's interval; the front is what was given."""
    chart = drawn_cost(made)
    known = {row["digest"]: row for row in made.found[NAME]["optimizers"]}
    for point in rows(chart, "finalists"):
        test = known[point["digest"]]["test"]
        assert point["low"] == pytest.approx(100 * test["low"], rel=1e-4)
        assert point["high"] == pytest.approx(100 * test["high"], rel=1e-4)
    times = {row["digest"]: row["time_to_target_s"] for row in made.cells}
    for point in rows(chart, "cells"):
        assert point["cost"] == pytest.approx(times[point["digest"]], rel=1e-3)


def test_cost_counts_steps_where_no_time_is_known(made: MadeUp) -> None:
    """The axis says which of both it is."""
    chart = drawn_cost(made, by="steps")
    steps = {row["digest"]: row["steps_to_target"] for row in made.cells}
    assert all(p["cost"] == steps[p["digest"]] for p in rows(chart, "finalists"))
    assert "steps to the target" in chart.svg  # type: ignore[union-attr]
    assert drawn_cost(made, by=None) is None


def test_curves_are_those_of_each_optimizers_best(made: MadeUp) -> None:
    """One line a seed, errors of what was evaluated, one name at the end of each optimizer's."""
    chart = curves(NAME, found(made), made.evaluations, made.labels.optimizers)
    own = rows(chart)
    best = {row["optimizer"]: row["cell"] for row in made.found[NAME]["optimizers"]}
    assert {row["optimizer"] for row in own} == set(best)
    for row in own:
        cell = best[row["optimizer"]]
        table = made.evaluations
        at = table[
            (table["optimizer"] == cell["optimizer"])
            & (table["batch_size"] == cell["batch_size"])
            & (table["lr"] == cell["lr"])
            & (table["schedule"] == cell["schedule"])
            & (table["seed"] == row["seed"])
            & (abs(table["epoch"] - row["epoch"]) < 1e-3)
        ]
        assert 1 - row["value"] == pytest.approx(at["metric"].item(), abs=1e-3)
    places = sorted(row["at"] for row in rows(chart, "ends"))
    assert len(set(places)) == len(best)  # no name lies on another
    assert curves(NAME, found(made, optimizers=[]), made.evaluations, []) is None


def test_failures_are_counted_over_batches_and_schedules(made: MadeUp) -> None:
    """Every trial of an optimizer and rate counts once."""
    for row in rows(failures(NAME, made.cells, made.labels.optimizers)):
        own = [
            c for c in made.cells if (c["optimizer"], c["lr"]) == (row["optimizer"], row["rate"])
        ]
        lost = sum((c["failed"] or 0) + c["diverged"] for c in own)
        assert row["trials"] == sum(c["seeds"] for c in own)
        assert row["lost"] == pytest.approx(lost / row["trials"], abs=1e-4)
    fine = [{**row, "failed": 0, "diverged": 0} for row in made.cells]
    assert failures(NAME, fine, made.labels.optimizers) is None


def test_rates_that_are_nearly_equal_have_a_column_each(made: MadeUp) -> None:
    """Of 0.1 and 0.10004 neither hides the other."""
    near = [{**row, "lr": 0.10004 if row["lr"] == 1.0 else row["lr"]} for row in made.cells]
    own = rows(failures(NAME, near, made.labels.optimizers))
    assert len({row["lr"] for row in own}) == len({row["rate"] for row in own}) == 3


def test_what_matters_comes_with_its_interval(made: MadeUp) -> None:
    """Shares are the claims', the largest of the whole grid first."""
    known = {(row["region"], row["component"]): row for row in made.found[NAME]["importance"]}
    chart = matters(NAME, found(made))
    for row in rows(chart):
        region = "grid" if row["between"].startswith("all") else "best lr"
        share = known[region, row["component"]]["share"]
        assert row["share"] == pytest.approx(100 * share, abs=0.01)
    assert matters(NAME, found(made, importance=[])) is None


def test_a_still_picture_keeps_all_that_is_seen() -> None:
    """Colours stay the page's; texts keep their digits; what nobody sees goes."""
    text = "0.123456"
    chart = on([{"a": 1, "t": text}]).mark_text(fill="var(--c1)").encode(x="a:Q", text="t:N")
    import vl_convert

    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    short = still(svg)
    assert f">{text}<" in short
    assert "var(--c1)" in short
    assert "aria-" not in short
    assert len(short) < 0.7 * len(svg)
