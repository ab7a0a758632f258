"""Learning rates and steps over batch sizes: lines, bounds, and what is chosen at first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape.analysis import ALL
from trainscape.charts.batches import batch_scaling
from trainscape.charts.scaling import lr_scaling

if TYPE_CHECKING:
    from trainscape.charts import Chart

NAMES = ("optimizer", "schedule")
ORDER = ["sgd", "momentum", "adam"]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What was found in a study of three optimizers and four batch sizes."""
    return dict(MadeUp(synthetic.study()).found["digits-mlp"])


def rows(chart: Chart | None, name: str) -> list[dict[str, Any]]:
    """The rows of a chart's table."""
    assert chart is not None
    [values] = [table["values"] for table in chart.vega["data"] if table["name"] == name]
    return list(values)


def signals(chart: Chart | None) -> dict[str, Any]:
    """What is chosen at first."""
    assert chart is not None
    return {s["name"]: s["value"] for s in chart.vega["signals"] if s["name"] in NAMES}


def own(table: list[dict[str, Any]], fit: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one optimizer and schedule."""
    return [row for row in table if all(row[name] == fit[name] for name in NAMES)]


def slope(line: list[dict[str, Any]], height: str) -> float:
    """How steep a line is in logarithms."""
    first, last = line[0], line[-1]
    return math.log(last[height] / first[height]) / math.log(last["batch"] / first["batch"])


def test_lines_are_as_steep_as_alpha_and_its_bounds(found: dict[str, Any]) -> None:
    """In logarithms of batch sizes and rates."""
    lines = rows(lr_scaling("digits-mlp", found, ORDER), "lines")
    fits = [row for row in found["scaling"] if row["low"] is not None and row["high"] is not None]
    assert fits
    for fit in fits:
        line = own(lines, fit)
        for column, height in (("exponent", "lr"), ("low", "low"), ("high", "high")):
            assert slope(line, height) == pytest.approx(fit[column], abs=1e-3)


def test_bounds_cross_the_line_in_its_middle(found: dict[str, Any]) -> None:
    """There the rate is known best."""
    for fit in found["scaling"]:
        line = own(rows(lr_scaling("digits-mlp", found, ORDER), "lines"), fit)
        if line and "low" in line[1]:
            assert line[1]["low"] == line[1]["lr"] == line[1]["high"]


def test_an_alpha_without_a_bound_has_a_line_and_no_band(found: dict[str, Any]) -> None:
    """A band with one edge cannot be drawn: words say which bound is known."""
    fit = {**found["scaling"][0], "exponent": 0.5, "low": None, "high": 0.7}
    changed = {**found, "scaling": [fit, *found["scaling"][1:]]}
    line = own(rows(lr_scaling("digits-mlp", changed, ORDER), "lines"), fit)
    assert slope(line, "lr") == pytest.approx(0.5, abs=1e-3)
    assert "low" not in line[0]
    [words] = own(rows(lr_scaling("digits-mlp", changed, ORDER), "alphas"), fit)
    assert words["words"] == "α = 0.50 (≤ 0.70)"


def test_rules_of_thumb_have_their_slopes(found: dict[str, Any]) -> None:
    """Linear, square root and none."""
    rules = rows(lr_scaling("digits-mlp", found, ORDER), "rules")
    for name, steep in (("linear", 1.0), ("√", 0.5), ("none", 0.0)):
        line = [row for row in own(rules, found["scaling"][0]) if row["rule"] == name]
        assert slope(line, "lr") == pytest.approx(steep, abs=1e-3)


def test_axes_of_rates_are_equally_long(found: dict[str, Any]) -> None:
    """So that slopes of different optimizers can be compared by eye."""
    ends = rows(lr_scaling("digits-mlp", found, ORDER), "ends")
    spans = {
        round(own(ends, fit)[1]["lr"] / own(ends, fit)[0]["lr"], 6) for fit in found["scaling"]
    }
    assert len(spans) == 1


def test_the_optimizer_to_take_is_shown_first(found: dict[str, Any]) -> None:
    """In both charts; rates with all schedules."""
    taken = found["chosen"]["cell"]["optimizer"]
    assert signals(lr_scaling("digits-mlp", found, ORDER)) == {"optimizer": taken, "schedule": ALL}
    assert signals(batch_scaling("digits-mlp", found, ORDER))["optimizer"] == taken


def test_an_optimizer_without_alpha_is_not_shown_first(found: dict[str, Any]) -> None:
    """Another one has something to show."""
    taken = found["chosen"]["cell"]["optimizer"]
    none = {"exponent": None, "low": None, "high": None, "factor": None, "reason": "few"}
    scaling = [row | none if row["optimizer"] == taken else row for row in found["scaling"]]
    chart = lr_scaling("digits-mlp", {**found, "scaling": scaling}, ORDER)
    assert signals(chart)["optimizer"] != taken
    assert f"{taken} not known" in chart.words  # type: ignore[union-attr]


def test_perfect_scaling_halves_the_steps_with_every_doubling(found: dict[str, Any]) -> None:
    """From the smallest batch that reached the target."""
    chart = batch_scaling("digits-mlp", found, ORDER)
    for fit in found["critical"]:
        line = own(rows(chart, "perfect"), fit)
        points = own(rows(chart, "steps"), fit)
        assert bool(line) == bool(points)
        if line:
            assert slope(line, "steps") == pytest.approx(-1)
            first = min(points, key=lambda row: row["batch"])
            assert (line[0]["batch"], line[0]["steps"]) == (first["batch"], first["steps"])


def test_the_interval_of_the_knee_ends_where_the_axis_does(found: dict[str, Any]) -> None:
    """An end that the study does not bound is the end of the axis."""
    fit = found["critical"][0]
    for bounds, ends in (
        ({"low": 20.0, "high": 90.0}, (20, 90)),
        ({"low": 20.0, "high": None}, (20, 1024 * 1.25)),
        ({"low": 0.0, "high": 90.0}, (16 / 1.25, 90)),
    ):
        row = {**fit, "critical": 40.0, "least_steps": 10.0, "reason": None, **bounds}
        changed = {**found, "critical": [row, *found["critical"][1:]]}
        [knee] = own(rows(batch_scaling("digits-mlp", changed, ORDER), "fits"), row)
        assert (knee["from"], knee["to"]) == pytest.approx(ends)


def test_nothing_is_shaded_without_a_bound(found: dict[str, Any]) -> None:
    """A shade over everything would look like a finding."""
    row = {**found["critical"][0], "critical": None, "low": 0.0, "high": None}
    changed = {**found, "critical": [row, *found["critical"][1:]]}
    [knee] = own(rows(batch_scaling("digits-mlp", changed, ORDER), "fits"), row)
    assert not knee["from"] < knee["to"]
    assert knee["words"] == "B_crit: not known"


@pytest.mark.parametrize("about", [{"batch_sizes": [64]}, {"lrs": [0.01], "validation": 0.0}])
def test_there_is_no_chart_of_nothing(about: dict[str, Any]) -> None:
    """With one batch size, and with nothing to select by."""
    found = MadeUp(synthetic.study(**about)).found["digits-mlp"]
    assert lr_scaling("digits-mlp", found, ORDER) is None
    assert batch_scaling("digits-mlp", found, ORDER) is None


def test_rates_follow_the_training_loss_without_a_validation_split() -> None:
    """The caption says so; no batch pays without a target."""
    found = MadeUp(synthetic.study(validation=0.0)).found["digits-mlp"]
    chart = lr_scaling("digits-mlp", found, ORDER)
    assert chart is not None
    assert "by the last training loss" in chart.caption
    assert batch_scaling("digits-mlp", found, ORDER) is None
