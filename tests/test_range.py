"""What a range test suggests: the steepest descent of its curve, or nothing; and how it fits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from kit.range_traces import DECADE, STEEPEST, fall, summary, traced, valley
from trainscape import analysis
from trainscape.analysis import RangeCurve, range_curve, range_tests
from trainscape.analysis._range_curve import SMOOTHING, smooth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def decades(rate: float | None) -> float:
    """How far above the true steepest descent a suggestion is, in decades of the rate."""
    assert rate is not None
    return math.log10(rate / STEEPEST)


def curve(losses: Sequence[float], first: int = 0) -> RangeCurve:
    """A curve with these losses at rates 1, 2, 4, …"""
    return RangeCurve([2.0**k for k in range(len(losses))], list(losses), first)


def test_smoothing_has_no_bias_and_is_the_known_mean() -> None:
    """The first value is the first loss; later ones weigh a loss of n steps ago by βⁿ."""
    losses = [3.0, 1.0, 4.0, 1.0, 5.0]
    weights = [SMOOTHING**n for n in range(5)]
    for k, found in enumerate(smooth(losses)):
        recent = losses[k::-1]
        mean = sum(w * loss for w, loss in zip(weights, recent, strict=False)) / sum(
            weights[: k + 1]
        )
        assert math.isclose(found, mean)


def test_the_suggestion_is_the_steepest_descent_before_the_minimum() -> None:
    """The steepest relative fall counts, not the steepest fall, and nothing beyond the minimum."""
    # ln falls by ln 2, ln 4, ln 2; then it rises, and falls again, far more steeply
    losses = [8.0, 4.0, 1.0, 0.5, 64.0, 0.6]
    assert curve(losses).suggestion() == 2.0
    # central differences: (0.25 − 4), (0.2 − 1)
    assert curve([8.0, 4.0, 1.0, 0.25, 0.2, 9.0]).suggestion() == 4.0


def test_the_rates_before_the_first_step_that_counts_suggest_nothing() -> None:
    """A jump of the first few losses, whose mean has not settled, is no descent."""
    assert curve([9.0, 1.0, 0.99, 0.9, 0.5, 0.48], first=2).suggestion() == 8.0


def test_a_loss_that_is_not_above_zero_is_taken_as_it_is() -> None:
    """A negative log-likelihood may be negative: its own steepest fall counts."""
    assert curve([5.0, 4.0, 1.0, -0.5, -1.0, 3.0]).suggestion() == 4.0


@pytest.mark.parametrize("seeds", [1, 5])
@pytest.mark.parametrize("loss", [fall, valley])
def test_the_suggestion_lies_by_the_known_steepest_point(
    loss: Callable[[float], float], seeds: int
) -> None:
    """Smoothing delays what it smooths: the suggestion is above the true point, by 0.6 decades."""
    assert 0 < decades(range_curve(traced(loss, seeds)).suggestion()) < 0.6


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_noise_moves_the_suggestion_little(noise: float) -> None:
    """Noise of a tenth of each loss moves it by less than a third of a decade."""
    clean, noisy = (range_curve(traced(valley, noise=n)).suggestion() for n in (0.0, noise))
    assert abs(decades(noisy) - decades(clean)) < 1 / 3


def test_a_flat_loss_suggests_nothing() -> None:
    """Where nothing is learned there is no suggestion, with and without noise."""
    for noise in (0.0, 0.1):
        assert range_curve(traced(lambda _: 2.3, noise=noise)).suggestion() is None
    assert range_curve(traced(lambda rate: 2 + rate)).suggestion() is None


def test_the_curve_ends_with_the_seed_that_ends_first() -> None:
    """A NaN in one seed ends the curve there, and what was seen before still gives a suggestion."""
    end = round(4 * DECADE)  # at a rate of 0.1
    found = range_curve(traced(valley, end=end))
    assert len(found.losses) == len(found.rates) == end
    assert math.isclose(found.rates[-1], 0.1, rel_tol=0.1)
    assert found.suggestion() == range_curve(traced(valley)).suggestion()


@pytest.mark.parametrize("end", [0, 1, 29, 30, 31])
def test_a_test_that_diverges_at_once_is_a_result(end: int) -> None:
    """However early the NaN comes, there is a row without a suggestion."""
    (row,) = analysis.records(range_tests([traced(valley, seeds=1, end=end)], summary()))
    assert (row["suggestion"], row["factor"], row["status"], row["diverged"]) == (
        None,
        None,
        "diverged",
        1,
    )
    assert (row["end_lr"] is None) == (end == 0)


def test_the_curve_ends_at_four_times_its_minimum() -> None:
    """What a run does after it has exploded is no part of the test, were it to fall again."""
    found = range_curve(traced(lambda rate: valley(rate) if rate < 2 else 1e-3))
    assert max(found.rates) < 2
    assert found.losses[-1] > 4 * min(found.losses) >= found.losses[-2]


def test_a_suggestion_stands_beside_the_best_of_its_own_combination() -> None:
    """The best is that by validation of the optimizer and batch size, over all schedules."""
    (row,) = analysis.records(range_tests([traced(valley)], summary()))
    own = [
        cell
        for cell in analysis.records(summary())
        if (cell["optimizer"], cell["batch_size"]) == ("adam", 64)
    ]
    chosen = analysis.best(own)
    assert chosen is not None
    assert (row["best_lr"], row["schedule"]) == (chosen["lr"], chosen["schedule"])
    assert row["factor"] == row["suggestion"] / chosen["lr"]


def test_without_validation_nothing_is_compared() -> None:
    """Suggestions remain; best rates, factors and the agreement are null."""
    table = range_tests([traced(valley)], summary(validation=0))
    (row,) = analysis.records(table)
    assert row["suggestion"] is not None
    assert (row["best_lr"], row["schedule"], row["factor"]) == (None, None, None)
    found = analysis.range_metrics(table)["digits-mlp"]
    assert (found["median_factor"], found["near"], found["compared"]) == (None, None, 0)
    assert found["suggestion"] == {"adam": {"64": row["suggestion"]}}


def test_the_agreement_counts_both_ways_and_a_missing_suggestion_as_far() -> None:
    """Half as much is as far off as twice; near is within a factor of 3 of all that is compared."""
    rows = [{"best_lr": 0.1, "factor": factor} for factor in (0.5, 3.0, 0.25, None)]
    found = analysis.agreement([*rows, {"best_lr": None, "factor": None}])
    assert found == {"median_factor": 3.0, "near": 0.5, "compared": 4}


def test_no_range_tests_give_an_empty_table() -> None:
    """A study without any has the table's header, and no metrics."""
    table = range_tests([], summary())
    assert (len(table), list(table.columns)[:3]) == (0, ["workload", "optimizer", "batch_size"])
    assert analysis.range_metrics(table) == {}
