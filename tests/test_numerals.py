"""Numbers are short and readable from one end of the floats to the other."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainscape import analysis
from trainscape.figures.values import deviation, score, ticks
from trainscape.numerals import duration, number, roughly
from trainscape.workloads import Metric

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("value", "three", "two"),
    [
        (0.0, "0", "0"), (-0.0, "0", "0"), (NAN, "nan", "nan"), (INF, "inf", "inf"),
        (-INF, "-inf", "-inf"), (1e-30, "1e-30", "1e-30"), (1.234e-30, "1.23e-30", "1.2e-30"),
        (5e-324, "4.94e-324", "4.9e-324"), (1e-4, "1e-4", "1e-4"), (9.999e-4, "0.001", "0.001"),
        (0.00123456, "0.00123", "0.0012"), (0.0821, "0.0821", "0.082"), (0.5, "0.5", "0.5"),
        (0.9999, "1", "1"), (9.996, "10", "10"), (99.96, "100", "100"), (774.4, "774", "774"),
        (-774.4, "-774", "-774"), (999.6, "1000", "1000"), (1250, "1250", "1250"),
        (9994.0, "9994", "10k"), (9999.6, "10k", "10k"), (12_500, "12.5k", "12k"),
        (100_000, "100k", "100k"), (999_600, "1M", "1M"), (3_100_000, "3.1M", "3.1M"),
        (774e6, "774M", "770M"), (999.9e6, "1e9", "1e9"), (1e10, "1e10", "1e10"),
        (-1.234e30, "-1.23e30", "-1.2e30"), (1.7976931348623157e308, "1.8e308", "1.8e308"),
    ],
)  # fmt: skip
def test_a_number_of_any_size_is_short(value: float, three: str, two: str) -> None:
    """Three digits and two, no sign of a power where none is needed, no zeros in exponents."""
    assert (number(value), number(value, 2)) == (three, two)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 6))
def test_a_number_is_what_it_says(value: float, digits: int) -> None:
    """Read back, it is the value but for the digits that were left out."""
    text = number(value, digits)
    assert re.fullmatch(r"-?\d{1,4}(\.\d+)?(e-?[1-9]\d*|[kM])?", text)
    scale = {"k": 1e3, "M": 1e6}.get(text[-1], 1.0)
    read = float(text.rstrip("kM")) * scale if abs(value) < 1e300 else value
    assert read == pytest.approx(value, rel=0.6 * 10 ** (1 - digits), abs=1e-320)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1e-30, "1e-24 µs"), (0.0, "0 µs"), (1e-3, "1 ms"), (0.9999, "1000 ms"), (99.96, "100 s"),
        (1e10, "2.78M h"), (1e30, "2.78e26 h"), (INF, "inf h"), (NAN, "nan h"), (-2.0, "-2 s"),
    ],
)  # fmt: skip
def test_any_duration_is_short(seconds: float, expected: str) -> None:
    """Whatever was measured, it is said in one number and one unit."""
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("value", "percent", "plain", "spread"),
    [
        (0.9766, "97.7%", "0.977", "0.98"), (0.0, "0.0%", "0", "0"),
        (-1e30, "-1e32%", "-1e30", "-1e30"), (INF, "inf%", "inf", "inf"),
        (NAN, "nan%", "nan", "nan"), (774.4, "77.4k%", "774", "774"),
        (1e7, "1e9%", "10M", "10M"),
    ],
)  # fmt: skip
def test_a_metric_of_any_size_is_short(value: float, percent: str, plain: str, spread: str) -> None:
    """A loss that grew without end, and a fraction that is none, take no more room than others."""
    accuracy, loss = (
        analysis.metric("digits-mlp"),
        Metric("loss", "min", "", analysis.metric("regression").compute),
    )
    assert score(value, accuracy, unit=True) == percent
    assert (score(value, loss), deviation(value, loss)) == (plain, spread)


def test_ticks_far_from_one_are_short() -> None:
    """An axis at either end of the floats has labels of a few characters."""
    assert ticks([1e-30, 1e-29]) == ["1e-30", "1e-29"]
    assert ticks([1e10, 3e10]) == ["1e10", "3e10"]


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0.2, "1 s"), (8, "8 s"), (42, "40 s"), (100, "2 min"), (5000, "83 min"), (9000, "2.5 h")],
)
def test_tells_a_guess_in_one_unit(time_s: float, text: str) -> None:
    """A guess is told as exactly as it is known."""
    assert roughly(time_s) == text
