"""Intervals over seeds and over examples, and comparisons of optimizers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, studentized_range
from scipy.stats import t as student

from trainscape.statistics.intervals import (
    both,
    difference_over_examples,
    over_examples,
    over_seeds,
    wilson,
)
from trainscape.statistics.scores import Scale
from trainscape.statistics.versus import Versus, max_t, resampled_max_t, versus

SHARE = Scale("logit", 1, 287)
PLAIN = Scale("identity")


def generator(name: str) -> np.random.Generator:
    """Random numbers by name."""
    return np.random.Generator(np.random.PCG64(list(name.encode())))


def test_one_cell_has_students_interval() -> None:
    """Without other cells and without a scale it is the textbook's t interval."""
    values = generator("student").normal(3, 2, (1, 8))
    (low,), (high,) = over_seeds(values, PLAIN)
    reach = student.ppf(0.975, 7) * values.std(ddof=1) / np.sqrt(8)
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach))


@pytest.mark.parametrize("share", [0.6, 0.98, 0.99])
def test_over_seeds_holds_the_mean_of_new_seeds(share: float) -> None:
    """Of counts out of 287, unstable to different degrees, 93 to 97% of true means are inside."""
    draw = generator(f"seeds {share}")
    spread = 0.2 * np.sqrt(4 / draw.chisquare(4, (4000, 1)))
    spread = np.clip(spread, 0.1, 0.5)
    middle = SHARE.up(share)
    many = np.round(SHARE.down(middle + spread * norm.ppf(np.arange(0.5, 400) / 400)) * 287) / 287
    values = np.round(SHARE.down(middle + spread * draw.normal(size=(4000, 20))) * 287) / 287
    low, high = over_seeds(values, SHARE)
    inside = (low <= many.mean(1)) & (many.mean(1) <= high)
    assert 0.93 < inside.mean() < 0.97


def test_the_best_of_equal_cells_is_inside_too() -> None:
    """Chosen as the best of eight equal cells by the same seeds: 93 to 97% with ``among`` 8."""
    draw = generator("lifted")
    plain = careful = 0
    for _ in range(800):
        values = draw.normal(size=(8, 20))
        top = int(values.mean(1).argmax())
        low, high = over_seeds(values, PLAIN)
        plain += low[top] <= 0 <= high[top]
        low, high = over_seeds(values, PLAIN, among=8)
        careful += low[top] <= 0 <= high[top]
        assert (low < values.mean(1)).all()
    assert plain / 800 < 0.9
    assert 0.93 < careful / 800 < 0.97


def test_the_worst_of_equal_cells_is_inside_too() -> None:
    """Taken as the worst of eight equal cells by the same seeds: 93 to 97% with ``below`` 8."""
    draw = generator("worst")
    plain = careful = 0
    for _ in range(800):
        values = draw.normal(0, 1, (8, 10))
        worst = int(values.mean(1).argmin())
        plain += over_seeds(values, PLAIN)[1][worst] >= 0
        careful += over_seeds(values, PLAIN, below=8)[1][worst] >= 0
    assert plain / 800 < 0.9
    assert 0.93 < careful / 800 < 0.97


def test_a_common_seed_effect_is_part_of_the_interval() -> None:
    """What all cells of a seed share, other seeds would change: it widens each cell's interval."""
    draw = generator("common")
    own = draw.normal(0, 0.01, (30, 10))
    low, high = over_seeds(own, PLAIN)
    wide_low, wide_high = over_seeds(own + draw.normal(0, 1, 10), PLAIN)
    assert (wide_high - wide_low).min() > 10 * (high - low).max()


def test_equal_counts_still_leave_doubt() -> None:
    """Twenty times 280 of 287 is no proof of exactly that share; one seed says nothing."""
    (low,), (high,) = over_seeds(np.full((1, 20), 280 / 287), SHARE)
    assert 0 < high - low < 1 / 287
    assert low < 280 / 287 < high
    assert np.isnan(over_seeds(np.full((3, 1), 0.5), SHARE)).all()
    broken = over_seeds(np.array([[0.5, np.nan], [0.5, 0.6]]), SHARE)
    assert np.isnan(broken[0]).tolist() == [True, False]


def test_ends_of_a_loss_are_in_order() -> None:
    """Where less is better the low end is still the lower one."""
    values = np.exp(generator("order").normal(0, 0.2, (4, 6)))
    low, high = over_seeds(values, Scale("log", -1))
    assert (low < values.mean(1)).all()
    assert (values.mean(1) < high).all()


def test_wilson() -> None:
    """Values worked by hand, and the issue's: 99% of 360 images, 97.3 to 99.6."""
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=5e-5)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=5e-5)
    assert wilson(0.99, 360) == pytest.approx((0.973, 0.996), abs=1e-3)


def test_outcomes_without_doubt_have_wilsons_interval() -> None:
    """Where every seed agrees on each example, the interval is Wilson's of N examples."""
    outcomes = np.array([1.0] * 356 + [0.0] * 4)
    expected = wilson(356 / 360, 360)
    assert over_examples(outcomes, share=True) == pytest.approx(expected)
    assert over_examples(np.ones(50), share=True) == wilson(1.0, 50)
    assert np.isnan(over_examples(np.array([1.0]), share=True)).all()
    assert np.isnan(over_examples(np.array([1.0, np.nan, 0]), share=True)).all()


@pytest.mark.parametrize(("share", "examples"), [(0.9, 287), (0.98, 287), (0.98, 360)])
def test_over_examples_holds_the_mean_of_new_examples(share: float, examples: int) -> None:
    """Examples that are right, wrong or doubtful: 93 to 98% of intervals hold the true share."""
    draw = generator(f"examples {share} {examples}")
    inside = 0
    for _ in range(1500):
        kind = draw.random(examples) / (1 - share)
        doubtful = draw.binomial(20, draw.beta(1.4, 1.4 / 1.5, examples)) / 20  # 60% in the mean
        outcomes = np.where(kind < 2, doubtful, np.where(kind < 2.2, 0.0, 1.0))
        low, high = over_examples(outcomes, share=True)
        inside += low <= share <= high
    assert 0.93 < inside / 1500 < 0.98


def test_differences_over_examples_are_paired() -> None:
    """Two cells that err on the same examples differ by less than two that do not."""
    draw = generator("paired")
    first = (draw.random(360) < 0.95).astype(float)
    second = first.copy()
    second[:3] = 1 - second[:3]
    low, high = difference_over_examples(first, second, share=True)
    alone = over_examples(first, share=True)
    assert high - low < alone[1] - alone[0]
    assert low < (first - second).mean() < high
    same = difference_over_examples(first, first, share=True)
    assert 0 < same[1] < 0.01


def test_both_adds_squares() -> None:
    """3 and 4 make 5, on either side apart."""
    assert both(0.0, (-3.0, 6.0), (-4.0, 8.0)) == pytest.approx((-5.0, 10.0))


def test_quantile_for_equal_rows_is_tukeys() -> None:
    """With many seeds and independent rows it is the studentized range's over √2."""
    a, b = np.triu_indices(5, 1)
    found = max_t(np.eye(5), a, b, 100, 0.95)
    assert found == pytest.approx(studentized_range.ppf(0.95, 5, np.inf) / np.sqrt(2), abs=0.08)
    one = max_t(np.eye(2), np.array([0]), np.array([1]), 20, 0.95)
    assert one == pytest.approx(student.ppf(0.975, 19), abs=0.06)


def test_all_intervals_hold_together() -> None:
    """Rows that vary unlike and together: in 93 to 97% of studies every pair's interval holds."""
    draw = generator("together")
    spread = np.array([0.2, 0.5, 1.0, 2.0])
    held = 0
    for _ in range(400):
        values = spread[:, None] * draw.normal(size=(4, 20)) + draw.normal(0, 0.7, 20)
        found = versus(values, PLAIN, 0.1, draws=1000)
        held += all(pair.low <= 0 <= pair.high for pair in found)
    assert 0.92 < held / 400 < 0.98


def test_skewed_noise_widens_the_intervals() -> None:
    """Cells that fail now and then: drawing among the seeds asks for more than the normal does."""
    draw = generator("skewed")
    apart = -(draw.exponential(1.0, (3, 20)) ** 2)
    error = apart.std(1, ddof=1) / np.sqrt(20)
    a, b = np.triu_indices(3, 1)
    normal = max_t(np.cov(apart), a, b, 20, 0.95)
    assert resampled_max_t(apart, error, 0.0, 0.95) > normal + 0.5
    plain = draw.normal(size=(1, 2000))
    found = resampled_max_t(plain, plain.std(1) / np.sqrt(2000), 0.0, 0.95)
    assert found == pytest.approx(1.96, abs=0.05)
    assert resampled_max_t(np.zeros((1, 20)), np.zeros(1), 0.0, 0.95) == 0


def test_verdicts() -> None:
    """Better, worse, equal and undecided, each where its interval lies."""
    noise = generator("verdicts").normal(0, 1, (3, 20))
    noise -= noise.mean(1, keepdims=True)
    shift = np.array([[0.0], [9.0], [0.0]])
    found = {(v.first, v.second): v for v in versus(noise + shift, PLAIN, 3.0)}
    assert {pair: v.verdict for pair, v in found.items()} == {
        (0, 1): "worse",
        (0, 2): "equal",
        (1, 2): "better",
    }
    assert found[(0, 1)].difference == pytest.approx(-9)
    narrow = versus(noise + shift, PLAIN, 0.1)
    assert next(v for v in narrow if (v.first, v.second) == (0, 2)).verdict == "undecided"


def test_less_is_better_where_the_metric_says_so() -> None:
    """Of a loss the lower row is the better one."""
    values = np.array([[1.0], [5.0]]) + generator("loss").normal(0, 0.1, (2, 9))
    (found,) = versus(values, Scale("log", -1), 0.01)
    assert found.verdict == "better"
    assert found.difference == pytest.approx(4, abs=0.3)


def test_a_reference_and_rows_that_are_out() -> None:
    """Against a reference each other row is compared once; a row with NaN is in no pair."""
    values = generator("reference").normal(size=(4, 6))
    values[1, 2] = np.nan
    assert [(v.first, v.second) for v in versus(values, PLAIN, 0.1, reference=2)] == [
        (0, 2),
        (3, 2),
    ]
    assert versus(values, PLAIN, 0.1, reference=1) == []
    assert versus(values[:1], PLAIN, 0.1) == []


def test_one_seed_decides_nothing_and_no_noise_everything() -> None:
    """With one seed all is undecided; equal counts in every seed are not taken for certainty."""
    (single,) = versus(np.array([[0.1], [0.9]]), SHARE, 0.005)
    assert isinstance(single, Versus)
    assert single.verdict == "undecided"
    same = np.array([[0.9], [0.5]]).repeat(3, 1)
    (sure,) = versus(same, SHARE, 0.005)
    assert sure.verdict == "better"
    assert sure.low < sure.difference < sure.high
    (exact,) = versus(same, PLAIN, 0.005)
    assert exact.low == exact.high == pytest.approx(0.4)
