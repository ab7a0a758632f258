"""The metric over learning rates: places on its axis, names beside lines, and what is safe."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape.charts._axes import LINE, apart, upwards
from trainscape.charts.sensitivity import HEIGHT, ROOM, safe_rates, sensitivity
from trainscape.workloads import Metric

if TYPE_CHECKING:
    from trainscape.charts import Chart

ACCURACY = Metric("accuracy", "max", "fraction", synthetic.untrained)
LOSS = Metric("MSE", "min", "", synthetic.untrained)


@pytest.fixture(scope="module")
def made() -> MadeUp:
    """A study of three optimizers, four batch sizes and five rates."""
    return MadeUp(synthetic.study())


def rows(chart: Chart, name: str) -> list[dict[str, Any]]:
    """The rows of a chart's table."""
    [found] = [table["values"] for table in chart.vega["data"] if table["name"] == name]
    return list(found)


def drawn(made: MadeUp, make: Any = sensitivity) -> Chart:
    """A chart of the study."""
    chart = make("digits-mlp", made.found["digits-mlp"], made.labels.optimizers)
    assert chart is not None
    return chart  # type: ignore[no-any-return]


def test_shares_are_as_far_apart_as_their_errors() -> None:
    """80% and 90% as 98% and 99%."""
    up = upwards([0.8, 0.9, 0.98, 0.99], ACCURACY)
    worse, bad, good, best = (math.log(up.at(value)) for value in (0.8, 0.9, 0.98, 0.99))
    assert worse - bad == pytest.approx(good - best)
    assert {"80%", "90%", "98%", "99%"} <= set(up.names)


def test_a_share_without_errors_has_a_place() -> None:
    """A logarithm of no errors is none: it stands below the least that is seen."""
    up = upwards([0.9, 0.96, 1.0], ACCURACY)
    assert up.at(1.0) == pytest.approx(0.02)
    assert up.low < up.at(1.0) < up.at(0.96)


@pytest.mark.parametrize(
    ("values", "log"), [([0.5, 0.9], False), ([0.05, 0.9], True), ([-1.0, 3.0], False)]
)
def test_losses_are_logarithmic_where_they_span_a_factor_of_ten(
    values: list[float], log: bool
) -> None:
    """Others are even; all have marks within their axis."""
    up = upwards(values, LOSS)
    assert up.log is log
    assert up.low < min(values) < max(values) < up.high
    assert all(up.low <= mark <= up.high for mark in up.marks)
    assert len(up.marks) > 1


@pytest.mark.parametrize("metric", [ACCURACY, LOSS])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_one_value_has_an_axis(metric: Metric, value: float) -> None:
    """It is no line of no length."""
    up = upwards([value], metric)
    assert up.low < up.at(value) < up.high


def test_names_keep_their_order_and_their_distance() -> None:
    """Crowded ones move, the topmost stays on the axis."""
    places = [3.0, 2.0, 2.5, 99.0, 40.0]
    found = apart(places, 10, 100)
    order = sorted(range(5), key=lambda k: places[k])
    assert sorted(range(5), key=lambda k: found[k]) == order
    gaps = [b - a for a, b in itertools.pairwise(sorted(found))]
    assert min(gaps) >= 10
    assert min(found) >= 0
    assert max(found) <= 100


def test_names_share_an_axis_that_is_too_short() -> None:
    """Three names on ten pixels."""
    assert apart([5.0, 5.0, 5.0], 10, 10) == pytest.approx([0, 5, 10])


def test_no_name_covers_another(made: MadeUp) -> None:
    """At every batch size, and with each optimizer at its best."""
    chart = drawn(made)
    slices: dict[Any, list[float]] = {}
    for row in rows(chart, "names"):
        slices.setdefault(row["batch"], []).append(math.log(row["y"]))
    [scale] = [scale for scale in chart.vega["scales"] if scale["name"] == "y"]
    whole = math.log(scale["domain"][1] / scale["domain"][0])
    assert set(slices) == {0, 16, 64, 256, 1024}
    for places in slices.values():
        assert len(places) == 3
        gaps = [b - a for a, b in itertools.pairwise(sorted(places))]
        assert min(gaps) / whole * HEIGHT > LINE - 0.1


def test_at_first_each_optimizer_has_its_best_batch_size(made: MadeUp) -> None:
    """That of its best cell, as the answers say."""
    found = made.found["digits-mlp"]
    best = {(row["optimizer"], row["cell"]["batch_size"]) for row in found["optimizers"]}
    own = {(row["optimizer"], row["batch"]) for row in rows(drawn(made), "points") if row["own"]}
    assert own == best


def test_every_rate_with_a_value_has_a_point(made: MadeUp) -> None:
    """A rate without one has none."""
    found = made.found["digits-mlp"]["sensitivity"]
    known = sum(rate["mean"] is not None for row in found for rate in row["rates"])
    assert 0 < known < sum(len(row["rates"]) for row in found)
    assert len(rows(drawn(made), "points")) == known


def test_a_gap_breaks_a_line(made: MadeUp) -> None:
    """Points on both sides of it are on different stretches."""
    found = made.found["digits-mlp"]
    row = dict(found["sensitivity"][0])
    none = dict.fromkeys(("schedule", "mean", "least", "most"))
    row["rates"] = [{**rate, **none} if k == 1 else rate for k, rate in enumerate(row["rates"])]
    changed = {**found, "sensitivity": [row, *found["sensitivity"][1:]]}
    chart = sensitivity("digits-mlp", changed, made.labels.optimizers)
    assert chart is not None
    names = ("optimizer", "batch")
    own = [
        point["stretch"]
        for point in rows(chart, "points")
        if [point[name] for name in names] == [row["optimizer"], row["batch_size"]]
    ]
    assert own[:2] == [0, 1]


def test_an_open_range_is_shaded_to_the_edge(made: MadeUp) -> None:
    """The grid ends there, not what is safe."""
    found = made.found["digits-mlp"]
    width = {"low": 0.001, "high": 0.02, "open_low": True, "open_high": False}
    row = {**found["sensitivity"][0], "width": width}
    changed = {**found, "sensitivity": [row, *found["sensitivity"][1:]]}
    chart = safe_rates("digits-mlp", changed, made.labels.optimizers)
    assert chart is not None
    first = rows(chart, "safe")[0]
    assert first["from"] == pytest.approx(0.001 / ROOM)
    assert first["to"] == 0.02
    assert first["range"] == "≤ 0.001 to 0.02"
    assert first["factor"] == "× 20"


@pytest.mark.parametrize("about", [{"validation": 0.0}, {"lrs": [0.01]}])
def test_there_is_no_chart_of_nothing(about: dict[str, Any]) -> None:
    """Without a validation split, and with one rate."""
    made = MadeUp(synthetic.study(**about))
    for make in (sensitivity, safe_rates):
        assert make("digits-mlp", made.found["digits-mlp"], made.labels.optimizers) is None


def test_a_loss_and_one_seed_are_drawn() -> None:
    """Its axis is named by its metric."""
    name = synthetic.regression()
    made = MadeUp(synthetic.study(name, seeds=[0]))
    chart = sensitivity(name, made.found[name], made.labels.optimizers)
    assert chart is not None
    assert "NaN" not in chart.svg
    assert "validation MSE" in chart.svg


def test_words_say_what_the_picture_shows(made: MadeUp) -> None:
    """For those who do not see it."""
    for optimizer in made.labels.optimizers:
        assert optimizer in drawn(made).words
        assert optimizer in drawn(made, safe_rates).words
    assert "0.5 points" in drawn(made, safe_rates).caption
