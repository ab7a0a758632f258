"""The charts below the first screen: what they show is what was found, whatever is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape.charts._chart import Chart, on, still
from trainscape.charts.cost import cost
from trainscape.charts.curves import curves
from trainscape.charts.failures import failures
from trainscape.charts.forest import forest
from trainscape.charts.matters import matters

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
