"""Best rates between the points of a grid, and the exponent of lr ∝ batch^α."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trainscape.statistics.draws import generator, interval, resampled
from trainscape.statistics.exponent import Exponent, Term, exponent, mean
from trainscape.statistics.peaks import peaks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SIZES = [16, 32, 64, 128, 256]
RATES = [10 ** (k / 2) for k in range(-6, 1)]


def basins(alpha: float, middle: float, noise: float = 0.0, bend: float = 0.0) -> Floats:
    """Log losses (5, 5, 7), parabolic over log rate: the best is middle · (batch / 64)^α.

    ``bend`` is the change of α with a doubling of the batch.
    """
    doublings = np.log2(np.array(SIZES) / 64)
    best = np.log(middle) + math.log(2) * (alpha * doublings + bend / 2 * doublings**2)
    away = np.log(RATES) - best[:, None]
    return np.asarray(away**2 + noise * generator("basins").normal(size=(5, 5, 7)))


def found(losses: Floats) -> Exponent:
    """Its exponent, which must be there."""
    fit = exponent(losses, SIZES, RATES, generator("test"))
    assert fit is not None
    return fit


def test_the_vertex_by_hand() -> None:
    """Heights 3, 1, 2 at 0, 1, 2: the parabola 1.5t² − 0.5t + 1 about 1 is least at 1 + 1/6."""
    seen = peaks([3.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    assert float(seen.place) == pytest.approx(7 / 6)
    assert float(seen.depth) == pytest.approx(1 - 1 / 24)
    assert (int(seen.side), bool(seen.turned), float(seen.half)) == (0, True, 0.5)


def test_steps_may_differ() -> None:
    """A parabola gives its own vertex and depth back, whatever the steps of the axis."""
    axis = np.array([0.0, 1.0, 4.0, 4.5])
    seen = peaks(2 * (axis - 1.7) ** 2 + 5, axis)
    assert float(seen.place) == pytest.approx(1.7)
    assert float(seen.depth) == pytest.approx(5.0)
    assert float(seen.half) == 1.0  # of steps 1 and 3


@pytest.mark.parametrize(
    ("heights", "place", "side"),
    [
        ([1.0, 2.0, 3.0], 0.0, -1),
        ([3.0, 2.0, 1.0], 2.0, 1),
        ([2.0, 1.0, math.inf], 1.0, 0),
        ([2.0, 1.0, math.nan], 1.0, 0),
        ([1.0, 1.0, 1.0], 0.0, -1),
        ([math.nan, math.nan, math.nan], math.nan, 0),
    ],
)
def test_ends(heights: list[float], place: float, side: int) -> None:
    """An end of the axis is known as such; beside a diverged cell the best point itself stands."""
    seen = peaks(heights, [0.0, 1.0, 2.0])
    assert float(seen.place) == pytest.approx(place, nan_ok=True)
    assert int(seen.side) == side
    assert not bool(seen.turned)


def test_one_rate_is_no_curve() -> None:
    """It has no neighbours."""
    with pytest.raises(ValueError, match="two points"):
        peaks([1.0], [0.0])


def test_means_of_resamples_vary_as_means_of_seeds_do() -> None:
    """Their variance is the unbiased variance over seeds, divided by the number of seeds."""
    values = generator("values").normal(size=(5, 3))
    means = resampled(values, generator("means"), 40000)
    np.testing.assert_allclose(means.mean(0), values.mean(0), atol=0.01)
    np.testing.assert_allclose(means.var(0), values.var(0, ddof=1) / 5, rtol=0.03)


def test_one_seed_is_its_own_resample() -> None:
    """Nothing is known of the noise; the jitter remains."""
    assert (resampled(np.array([[2.0, 3.0]]), generator("one"), 7) == [2.0, 3.0]).all()


def test_an_interval_keeps_infinite_ends() -> None:
    """Percentiles of lower ends below, of upper ends above, without arithmetic on infinities."""
    lows, highs = np.arange(200.0), np.r_[np.arange(190.0), np.full(10, np.inf)]
    assert interval(lows, highs) == (4.0, math.inf)
    assert interval(lows) == (4.0, 194.0)


@pytest.mark.parametrize("alpha", [-1.0, 0.0, 0.4, 1.0])
def test_parabolas_give_their_exponent(alpha: float) -> None:
    """Without noise and off the ends it is exact, with no bend; the interval is the jitter's."""
    fit = found(basins(alpha, 10**-1.6))
    low, high = fit.alpha.interval
    assert fit.alpha.value == pytest.approx(alpha)
    assert low < alpha < high
    assert fit.bend is not None
    assert fit.bend.value == pytest.approx(0, abs=1e-9)
    # Slopes weigh −2 … 2 tenths a doubling; a uniform jitter of ¾ of ½·½·ln 10 has sd 0.2493.
    jitter = 0.75 * math.log(10) / 4 / math.sqrt(3)
    assert (high - low) / 2 == pytest.approx(1.96 * jitter / math.sqrt(10) / math.log(2), rel=0.06)


def test_a_surge_is_a_bend() -> None:
    """A best rate that rises, then falls has an exponent that falls with every doubling."""
    fit = found(basins(0.0, 10**-1.4, bend=-0.5))
    assert fit.bend is not None
    assert fit.bend.value == pytest.approx(-0.5)
    assert fit.bend.interval[0] < -0.5 < fit.bend.interval[1] < 0


def test_noise_widens_the_interval() -> None:
    """What seeds disagree on is less certain."""
    quiet, loud = (found(basins(0.4, 10**-1.6, noise)).alpha.interval for noise in (0.0, 3.0))
    assert loud[1] - loud[0] > 1.3 * (quiet[1] - quiet[0])


def test_a_rate_at_an_end_does_not_hold_the_line_back() -> None:
    """The largest batch wants more than the axis has: the other four tell the exponent."""
    fit = found(basins(0.8, 10**-0.6))
    assert fit.sides == [0, 0, 0, 0, 1]
    assert fit.alpha.value == pytest.approx(0.8, abs=0.02)
    assert all(map(math.isfinite, fit.alpha.interval))


def test_too_many_ends_leave_one_bound() -> None:
    """With two best rates off the ends, the rest may lie anywhere above: α has no upper bound."""
    fit = found(basins(0.7, 10**-0.15))
    assert fit.sides == [0, 0, 1, 1, 1]
    low, high = fit.alpha.interval
    assert fit.alpha.value is not None
    assert low < fit.alpha.value < 0.7
    assert high == math.inf


def test_ends_on_both_sides_leave_nothing() -> None:
    """Best rates that all end the axis below say nothing of how they move."""
    fit = found(basins(0.3, 10**-4.5))
    assert fit.sides == [-1] * 5
    assert fit.alpha.value is None
    assert fit.alpha.interval == (-math.inf, math.inf)


def test_a_batch_size_without_a_finished_cell_is_left_out() -> None:
    """One diverged seed keeps its cell from being best; one batch size alone has no exponent."""
    losses = basins(0.4, 10**-1.6)
    losses[2, 4] = np.nan
    assert found(losses).sizes == SIZES[:4]
    losses[:, 1:] = np.nan
    assert exponent(losses, SIZES, RATES, generator("test")) is None


def test_a_mean_without_any_bound_has_no_value() -> None:
    """One exponent that is bounded below and one above say nothing of their mean."""
    ends = np.full(10, np.inf), np.linspace(0.4, 0.6, 10)
    below, above = Term(0.5, ends[1], ends[0]), Term(0.5, -ends[0], ends[1])
    assert mean([below, above]).value is None
    assert mean([below, below]).value == 0.5
    assert mean([above, Term(0.7, ends[1], ends[1])]).value == pytest.approx(0.6)


def test_the_mean_of_exponents() -> None:
    """It lies between them, and is surer than each: their errors are independent."""
    one, two = (
        exponent(basins(alpha, 10**-1.6), SIZES, RATES, generator(str(alpha)))
        for alpha in (0.2, 0.6)
    )
    assert one is not None
    assert two is not None
    both = mean([one.alpha, two.alpha])
    assert both.value == pytest.approx(0.4)
    width = [high - low for low, high in (both.interval, one.alpha.interval)]
    assert width[0] == pytest.approx(width[1] / math.sqrt(2), rel=0.08)
