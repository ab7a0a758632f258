"""Scales and variances: the ground that all claims stand on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import polygamma

from trainscape.statistics.scores import Scale, scale
from trainscape.statistics.variance import moderate, residuals, trigamma_inverse, variances


def generator(name: str) -> np.random.Generator:
    """Random numbers by name."""
    return np.random.Generator(np.random.PCG64(list(name.encode())))


@pytest.mark.parametrize(
    ("unit", "direction", "values", "expected"),
    [
        ("fraction", "max", [0.0, 0.5, 1.0, np.nan], Scale("logit", 1, 287)),
        ("fraction", "min", [0.1, 0.5], Scale("logit", -1, 287)),
        ("", "min", [0.1, 3.0], Scale("log", -1)),
        ("", "max", [-1.0, 3.0], Scale("identity", 1)),
        ("fraction", "max", [0.5, 1.5], Scale("log", 1)),
    ],
)
def test_scales(unit: str, direction: str, values: list[float], expected: Scale) -> None:
    """A metric's scale follows from its unit, direction and values, and turns back."""
    found = scale(unit, direction, values, 287)
    assert found == expected
    np.testing.assert_allclose(found.down(found.up(values)), values, atol=1e-12)
    rising = found.up(np.sort(np.array(values)))
    assert (np.diff(rising[np.isfinite(rising)]) * found.sign > 0).all()


def test_a_share_of_one_counts_as_half_an_error() -> None:
    """All of 9 right has the log odds of 9½ to ½."""
    assert Scale("logit", 1, 9).up(1.0) == pytest.approx(np.log(19))


def test_seed_effects_are_taken_off() -> None:
    """An effect that all cells share leaves no residual, whatever one unstable cell does."""
    effects = np.array([0.3, -0.1, -0.2])
    values = np.arange(20.0)[:, None] + effects
    values[4] += [5.0, -9.0, 4.0]
    left = residuals(values)
    assert np.abs(np.delete(left, 4, 0)).max() < 1e-12


def test_variances_are_without_bias() -> None:
    """Over many cells the mean variance is that of the noise, effects of seeds or not."""
    draw = generator("variances")
    values = draw.normal(0, 2.0, (4000, 5)) + draw.normal(0, 3.0, 5) + draw.normal(0, 9, (4000, 1))
    found, freedom = variances(values)
    assert freedom == 4
    assert found.mean() == pytest.approx(4.0, rel=0.03)


def test_moderation_finds_how_variances_are_spread() -> None:
    """Variances drawn from the prior of d₀ = 4.4 and s₀² = 2 give both back."""
    draw = generator("moderation")
    truth = 4.4 * 2.0 / draw.chisquare(4.4, 20000)
    found = moderate(truth * draw.chisquare(4, 20000) / 4, 4)
    assert found.prior == pytest.approx(4.4, rel=0.1)
    assert found.common == pytest.approx(2.0, rel=0.05)
    assert found.freedom == pytest.approx(found.prior + 4)


def test_equal_variances_are_pooled() -> None:
    """Where cells vary alike, all of them have the pool's variance and freedom."""
    draw = generator("pooled")
    variance = draw.chisquare(4, 5) / 4
    found = moderate(np.full(5, variance.mean()), 4)
    assert found.prior == np.inf
    assert found.freedom == 20
    np.testing.assert_allclose(found.variance, variance.mean())


def test_cells_without_variance_get_some() -> None:
    """Five equal values are luck, not certainty; where nothing varies, nothing is made up."""
    found = moderate(np.array([0.0, 1.0, 0.3, 2.0, 0.1, 0.5]), 4)
    assert found.variance[0] > 0
    assert (moderate(np.zeros(4), 4).variance == 0).all()


@pytest.mark.parametrize("value", [1e-3, 0.2, 1.0, 50.0])
def test_trigamma_inverse(value: float) -> None:
    """ψ′ of the inverse is the value."""
    assert float(polygamma(1, trigamma_inverse(value))) == pytest.approx(value)
