"""How forgiving an optimizer is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from trainscape.statistics.draws import generator
from trainscape.statistics.forgiving import (
    basin,
    basins,
    expected_best,
    resampled_widths,
    safe_rate,
    sensitivity,
    shares,
    worst_cases,
)

LR = np.array([0.01, 0.1, 1.0, 10.0, 100.0])


def test_basin_ends_between_rates() -> None:
    """The metric crosses the margin on a straight line over log lr."""
    found = basin(np.array([0.5, 0.8, 0.9, 0.7, 0.1]), LR, 0.1)
    assert found
    assert found.low == pytest.approx(0.1)  # 0.8 is just within
    assert np.log10(found.high) == pytest.approx(0.5)  # 0.8 is halfway from 0.9 to 0.7
    assert found.decades == pytest.approx(1.5)
    assert (found.open_low, found.open_high) == (False, False)


def test_basin_at_edges_and_beside_divergence() -> None:
    """At the grid's end the basin is open; towards a rate that diverged it ends at the last one."""
    found = basin(np.array([0.9, 0.9, 0.85, np.nan, 0.9]), LR, 0.1)
    assert found
    assert (found.low, found.high) == pytest.approx((0.01, 1.0))
    assert (found.open_low, found.open_high) == (True, False)
    assert basin(np.full(5, np.nan), LR, 0.1) is None
    alone = basin(np.array([0.9]), LR[:1], 0.1)
    assert alone
    assert (alone.decades, alone.open_low, alone.open_high) == (0, True, True)


def test_basin_of_a_loss() -> None:
    """Where less is better the basin lies around the least."""
    found = basin(np.array([3.0, 1.0, 2.0, 9.0, 9.0]), LR, 1.0, sign=-1)
    assert found
    assert (np.log10(found.low), found.high) == pytest.approx((-1.5, 1.0))


def test_basins_take_each_rate_with_its_best_schedule() -> None:
    """At a batch size a rate counts by the schedule that suits it; one batch size may have none."""
    means = np.full((2, 2, 5), np.nan)
    means[0, 0] = [0.1, 0.9, 0.1, 0.1, 0.1]
    means[0, 1] = [0.1, np.nan, 0.9, 0.1, 0.1]
    first, second = basins(means, LR, 0.0)
    assert first
    assert first.decades == pytest.approx(1)
    assert second is None


@pytest.mark.parametrize("sign", [1, -1])
def test_other_seeds_give_other_widths(sign: int) -> None:
    """Seeds that agree always give the basin's own width; seeds that do not, several widths."""
    curve = np.array([0.5, 0.89, 0.9, 0.7, np.nan])
    values = sign * np.stack([np.full(5, np.nan), curve])[None] * np.ones((5, 1, 1))
    own = basin(sign * curve, LR, 0.05, sign)
    assert own
    same = resampled_widths(values, LR, 0.05, generator("same"), sign)
    assert same == pytest.approx(np.full(len(same), own.decades))
    values[:, 1, 1] += np.array([-0.2, 0.1, 0, 0, 0.1])
    other = resampled_widths(values, LR, 0.05, generator("other"), sign)
    assert len(np.unique(other.round(6))) > 5 and other.min() < own.decades < other.max()


def test_a_cell_that_lost_a_seed_has_no_value_in_any_resample() -> None:
    """A rate that diverged under one seed of five is out, also where that seed is not drawn."""
    values = np.full((5, 1, 3), 0.9)
    values[3, 0, 2] = np.nan
    assert (resampled_widths(values, LR[:3], 0.1, generator("lost")) == 1.0).all()
    assert (resampled_widths(np.full((5, 1, 3), np.nan), LR[:3], 0.1, generator("none")) == 0).all()


def test_sensitivity_is_the_area_over_decades() -> None:
    """A loss that rises by 1 a decade to either side costs half of that; a flat one nothing."""
    steep = sensitivity(np.array([2.0, 1.0, 0.0, 1.0, 2.0]), LR, initial=5.0)
    assert steep
    assert (steep.value, steep.decades) == pytest.approx((0.5, 2.0))
    flat = sensitivity(np.zeros(5), LR, initial=5.0)
    assert flat
    assert flat.value == 0


def test_sensitivity_caps_losses_and_knows_the_grids_end() -> None:
    """No loss counts for more than the first; NaN counts as that; beyond the grid nothing does."""
    capped = sensitivity(np.array([9.0, 90.0, 0.0, np.nan, 0.0]), LR, initial=2.0)
    assert capped
    assert capped.value == pytest.approx(1.0)
    edge = sensitivity(np.array([0.0, 1.0, 1.0, 3.0, np.nan]), LR)
    assert edge
    assert (edge.value, edge.decades) == pytest.approx((0.5, 1.0))
    assert sensitivity(np.full(5, np.nan), LR) is None
    assert sensitivity(np.ones(1), LR[:1]) is None


def test_sensitivity_does_not_depend_on_the_grids_spacing() -> None:
    """Points between two rates on the same line change nothing."""
    coarse = sensitivity(np.array([2.0, 1.0, 0.0, 1.0, 2.0]), LR, initial=1.5)
    fine_lr = 10 ** np.linspace(-2, 2, 9)
    fine = sensitivity(np.abs(np.log10(fine_lr)), fine_lr, initial=1.5)
    assert coarse
    assert fine
    assert coarse.value == pytest.approx(fine.value)


@pytest.mark.parametrize("draws", [1, 2, 4, 6])
@pytest.mark.parametrize("sign", [1, -1])
def test_expected_best_is_the_mean_over_all_draws(draws: int, sign: int) -> None:
    """It equals the best of every subset, averaged."""
    values = np.array([0.3, 0.9, 0.9, 0.1, 0.5, 0.7])
    every = [sign * max(sign * np.array(some)) for some in combinations(values, draws)]
    assert expected_best(values, draws, sign) == pytest.approx(np.mean(every))


def test_expected_best_counts_what_diverged_as_the_worst() -> None:
    """Missing values rank last: they count as given, and not at all where they cannot win."""
    values = np.array([0.5, np.nan, 0.9])
    assert expected_best(values, 1, missing=0.1) == pytest.approx(0.5)
    assert expected_best(values, 3) == pytest.approx(0.9)
    assert expected_best(-values, 3, sign=-1) == pytest.approx(-0.9)
    assert np.isnan(expected_best(values, 1))
    with pytest.raises(ValueError, match="4 of 3"):
        expected_best(values, 4)


def test_the_safe_rate_has_the_best_worst_case() -> None:
    """Not the rate of the best cell, but the one whose worst is best; none if all diverge."""
    means = np.array([[[0.9, 0.5, np.nan], [0.2, 0.6, 0.9]], [[0.9, 0.55, 0.9], [0.8, 0.7, 0.9]]])
    found = safe_rate(means, LR[:3])
    assert found
    assert (found.lr, found.worst, found.batch, found.schedule) == (0.1, 0.5, 0, 0)
    less = safe_rate(-means, LR[:3], sign=-1)
    assert less
    assert (less.lr, less.worst) == (0.1, -0.5)
    assert safe_rate(np.full((1, 1, 2), np.nan), LR[:2]) is None


def test_worst_cases_are_those_of_rates_that_never_diverge() -> None:
    """Batch size and schedule of each rate's worst cell; a rate with a diverged one has none."""
    means = np.array([[[0.9, 0.5, np.nan], [0.2, 0.6, 0.9]], [[0.9, 0.55, 0.9], [0.8, 0.4, 0.9]]])
    assert worst_cases(means) == {0: (0, 1), 1: (1, 1)}
    assert worst_cases(means, sign=-1) == {0: (0, 0), 1: (0, 1)}
    assert worst_cases(np.full((1, 1, 2), np.nan)) == {}


def test_of_rates_with_equal_worst_cases_the_better_mean_then_the_lower_is_safe() -> None:
    """Ties are not left to the order of a sort."""
    means = np.array([[[0.5, 0.5, 0.5], [0.8, 0.9, 0.9]]])
    found = safe_rate(means, LR[:3])
    assert found
    assert found.lr == 0.1


def test_last_bits_of_a_mean_choose_no_rate_and_no_schedule() -> None:
    """Ties stay ties, whichever of the equal means is ahead by less than a sum's error."""
    draws = np.random.default_rng(0)
    means = np.array([[[0.5, 0.5, 0.5], [0.8, 0.9, 0.9]], [[0.5, 0.5, 0.5], [0.8, 0.9, 0.9]]])
    for sign in (1, -1):
        for moved in draws.uniform(-1e-12, 1e-12, (20, *means.shape)):
            near = sign * (means + moved)
            assert set(worst_cases(near, sign).values()) == {(0, 0)}
            found = safe_rate(near, LR[:3], sign)
            assert found
            assert (found.lr, found.batch, found.schedule) == (0.1, 0, 0)
    # two means of 0.6, of which floating point makes the second one larger
    found = safe_rate(np.array([[[0.5, 0.5], [0.5, 0.5], [0.5, 0.6], [0.9, 0.8]]]), LR[:2])
    assert found
    assert found.lr == 0.01


def test_shares_keep_failed_and_diverged_apart() -> None:
    """A trial that diverged is not counted as failed; unknown is not none."""
    diverged = np.array([True, False, False, False])
    assert shares(diverged, np.array([np.nan, 1.0, 0.0, 0.0])) == (0.25, 0.25)
    assert shares(diverged, np.full(4, np.nan)) == (0.25, None)
